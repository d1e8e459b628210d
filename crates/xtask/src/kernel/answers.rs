//! What cargo has answered to a kernel before.
//!
//! At every start, evcxr and its rust-analyzer ask cargo the same questions, twice: where the workspace is, which
//! packages it has, what the compiler can do. Cargo needs half a second for them. In a working folder whose packages are
//! the same as before, so are the answers.

use crate::kernel::cell::{self, package};
use crate::system::files;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// In a working folder.
const FOLDER: &str = "answers";
/// How many are kept before all are removed. A kernel asks a dozen questions, and a `:dep` leads to new ones.
const KEPT: usize = 64;

/// What cargo has answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The exit status.
    pub status: i32,
    /// stdout.
    pub out: String,
    /// stderr.
    pub err: String,
}

/// Whether these arguments only ask for something.
pub fn is_question(args: &[OsString]) -> bool {
    let questions = ["locate-project", "config", "--version", "metadata", "--print"];
    args.iter().any(|arg| questions.iter().any(|question| arg == question))
}

/// A question to cargo.
pub struct Question<'a> {
    /// The clone.
    pub course: &'a Path,
    /// The kernel's working folder.
    pub slot: &'a Path,
    /// The arguments of cargo.
    pub args: &'a [OsString],
    /// The names of the packages whose copies the answer shall name.
    pub copies: Option<&'a [OsString]>,
}

/// Asks cargo, unless it has answered this question in the same working folder before. `change` makes of its answer what
/// is passed on.
pub fn ask(
    question: &Question,
    cargo: &mut Command,
    change: impl FnOnce(Answer) -> Result<Answer>,
) -> Result<Answer> {
    let slot = question.slot;
    let manifest = fs::read_to_string(slot.join("Cargo.toml")).unwrap_or_default();
    // The learner may edit such a crate.
    let kept = if package::has_other_crates(&manifest) {
        None
    } else {
        Some(slot.join(FOLDER).join(format!("{:016x}", key(question, cargo.get_program())?)))
    };
    if let Some(answer) = kept.as_deref().and_then(read) {
        return Ok(answer);
    }
    let output = cargo.args(question.args).stdin(Stdio::null()).output().context("could not start cargo")?;
    let answer = change(Answer {
        status: output.status.code().unwrap_or(1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })?;
    // After a failure, such as that of a network, the same question may have another answer.
    if let Some(kept) = kept.filter(|_| answer.status == 0) {
        // Only for the next time.
        let _ = keep(&kept, &answer);
    }
    Ok(answer)
}

/// A hash of all that the answer depends on.
fn key(question: &Question, cargo: &OsStr) -> Result<u64> {
    let Question { course, slot, args, copies } = question;
    let args: Vec<_> = args.iter().map(|arg| &**arg).collect();
    let crates = fs::read_dir(course.join("crates"))?.flatten().map(|entry| entry.path().join("Cargo.toml"));
    let mut manifests: Vec<PathBuf> = crates.collect();
    manifests.sort();
    let here = env::current_dir()?;
    manifests.extend([course.join("Cargo.toml"), here.join("Cargo.toml"), slot.join("Cargo.lock")]);
    manifests.extend(env::var_os(cell::LOCK_FILE).map(PathBuf::from));
    let texts: Vec<_> = manifests.iter().map(|path| fs::read(path).ok()).collect();
    // Another version of cargo, or of this program, can be in the same place.
    let programs = [PathBuf::from(cargo), env::current_exe()?].map(|path| {
        let file = fs::metadata(path).ok()?;
        Some((file.len(), file.modified().ok()?))
    });
    let mut hasher = DefaultHasher::new();
    (cell::key(&args, slot), here, texts, programs, copies).hash(&mut hasher);
    Ok(hasher.finish())
}

fn read(kept: &Path) -> Option<Answer> {
    let answer: Value = serde_json::from_slice(&fs::read(kept).ok()?).ok()?;
    let text = |name: &str| Some(answer[name].as_str()?.to_owned());
    Some(Answer { status: 0, out: text("out")?, err: text("err")? })
}

fn keep(kept: &Path, answer: &Answer) -> Result<()> {
    let folder = kept.parent().context("not in a folder")?;
    if fs::read_dir(folder).is_ok_and(|all| all.count() >= KEPT) {
        fs::remove_dir_all(folder)?;
    }
    files::write(kept, json!({"out": answer.out, "err": answer.err}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn only_questions_are_answered_without_cargo() {
        for question in [
            "locate-project --workspace",
            "-Z unstable-options config get",
            "--version",
            "--offline metadata --format-version=1",
            "rustc -Z unstable-options --print cfg --target a",
        ] {
            assert!(is_question(&words(question)), "{question}");
        }
        for other in ["build --target a", "check", "fetch", "add rand"] {
            assert!(!is_question(&words(other)), "{other}");
        }
    }

    #[test]
    fn a_question_is_asked_once_until_the_packages_change() {
        let temp = tempfile::tempdir().unwrap();
        let (course, slot) = (temp.path().join("course"), temp.path().join("slots/0"));
        for folder in [course.join("crates/nchw"), slot.clone()] {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("Cargo.toml"), "").unwrap();
        }
        let (cargo, calls) = (temp.path().join("cargo"), temp.path().join("calls"));
        let script =
            format!("#!/bin/sh\necho call >> {}\necho $2 ; echo said >&2\nexit $1\n", calls.display());
        files::write_program(&cargo, script).unwrap();
        let asked = |args: &str, expected: usize| {
            let louder = |answer: Answer| Ok(Answer { out: answer.out.to_uppercase(), ..answer });
            let question = Question { course: &course, slot: &slot, args: &words(args), copies: None };
            let answer = ask(&question, &mut Command::new(&cargo), louder).unwrap();
            let status = args[..1].parse().unwrap();
            assert_eq!(answer, Answer { status, out: "METADATA\n".into(), err: "said\n".into() });
            let calls = fs::read_to_string(&calls).unwrap().lines().count();
            assert_eq!(calls, expected, "{args}");
        };
        asked("0 metadata", 1);
        asked("0 metadata", 1);
        asked("0 metadata --no-deps", 2);
        // A failure may be over the next time.
        asked("1 metadata", 3);
        asked("1 metadata", 4);
        let mut calls = 4;
        for (changed, text) in [
            (slot.join("Cargo.toml"), "[dependencies]\nrand = \"0.9\"\n"),
            (slot.join("Cargo.lock"), "[[package]]"),
            (course.join("Cargo.toml"), "[workspace]"),
            (course.join("crates/nchw/Cargo.toml"), "[features]"),
        ] {
            fs::write(&changed, text).unwrap();
            calls += 1;
            asked("0 metadata", calls);
            asked("0 metadata", calls);
        }
        files::write_program(&cargo, fs::read_to_string(&cargo).unwrap() + "# Another version.\n").unwrap();
        calls += 1;
        asked("0 metadata", calls);
        // A crate that the learner may edit.
        fs::write(slot.join("Cargo.toml"), "[dependencies]\nmine = { path = \"/home/me/mine\" }\n").unwrap();
        asked("0 metadata", calls + 1);
        asked("0 metadata", calls + 2);
        for number in 0..2 * KEPT {
            keep(&slot.join(FOLDER).join(number.to_string()), &Answer::default()).unwrap();
        }
        assert!(fs::read_dir(slot.join(FOLDER)).unwrap().count() <= KEPT);
    }
}
