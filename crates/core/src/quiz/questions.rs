//! Reads the questions of the course from `questions/*.toml`, one file per topic.

use super::question::{Question, Topic};
use super::texts::{parse, texts};
use crate::{Error, Result};
use serde::Deserialize;
use std::sync::{Arc, LazyLock};

macro_rules! files {
    ($($topic:ident $file:literal),* $(,)?) => {
        [$((Topic::$topic, concat!("questions/", $file), include_str!(concat!("../../questions/", $file)))),*]
    };
}

/// The files, in the order of the course.
const FILES: [(Topic, &str, &str); 14] = files![
    Local "local.toml",
    Convolution "convolution.toml",
    Channels "channels.toml",
    Batch "batch.toml",
    OneByOne "one-by-one.toml",
    Padding "padding.toml",
    Stride "stride.toml",
    Dilation "dilation.toml",
    Pooling "pooling.toml",
    Field "receptive-field.toml",
    Parameters "parameters.toml",
    Flatten "flatten.toml",
    Groups "groups.toml",
    Nets "networks.toml",
];

/// A file: its questions as `[[question]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    question: Vec<Question>,
}

/// All questions, in the order of the course; parsed once.
///
/// # Errors
/// If a file is not as expected: its name, the line and the field.
pub fn questions() -> Result<&'static [Arc<Question>]> {
    static QUESTIONS: LazyLock<Result<Vec<Arc<Question>>>> = LazyLock::new(read);
    match &*QUESTIONS {
        Ok(questions) => Ok(questions),
        Err(error) => Err(Error::new(error.to_string())),
    }
}

fn read() -> Result<Vec<Arc<Question>>> {
    texts()?;
    let mut all = vec![];
    for (topic, file, text) in FILES {
        all.extend(parsed(file, text)?.into_iter().map(|question| Arc::new(Question { topic, ..question })));
    }
    Ok(all)
}

/// The questions in the text of a file, which errors name.
pub fn parsed(file: &str, text: &str) -> Result<Vec<Question>> {
    parse(file, text).map(|file: File| file.question)
}
