//! What has been answered: a small file that outlives the kernel.
//!
//! The file is read again before every change and replaced as a whole, under a
//! lock: two kernels at once do not lose each other's entries, and a kernel
//! that dies leaves the old file. Where nothing can be written, it is kept in
//! memory.

use super::question::Topic;
use crate::error::debug_as_display;
use crate::figure::{escape, show_html};
use serde_json::{Map, Value, json};
use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Entries by the questions' ids.
type Entries = Map<String, Value>;

/// Where nothing can be written, the entries are here; and that has been said.
static MEMORY: Mutex<Option<Entries>> = Mutex::new(None);

/// How one question stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Entry {
    pub right: bool,
    pub tries: u64,
    pub hints: u64,
}

/// What a change left to be said, empty as a rule.
pub(super) type Notice = Option<String>;

/// The file: `NCHW_PROGRESS`, else in the user's folder for such things.
pub(super) fn file() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(file) = folder("NCHW_PROGRESS") {
        return file;
    }
    let state = folder("XDG_STATE_HOME")
        .or_else(|| Some(folder("HOME")?.join(".local/state")))
        .or_else(|| folder("LOCALAPPDATA"))
        .unwrap_or_else(env::temp_dir);
    state.join("nchw").join("progress.json")
}

/// The entry of one question.
pub(super) fn entry(id: &str) -> Entry {
    from_value(entries().0.get(id))
}

/// Changes the entry of one question.
pub(super) fn change(id: &str, change: impl FnOnce(&mut Entry)) -> Notice {
    update(&file(), |entries| {
        let mut entry = from_value(entries.get(id));
        change(&mut entry);
        let value = json!({ "right": entry.right, "tries": entry.tries, "hints": entry.hints });
        entries.insert(id.into(), value);
    })
}

/// Forgets everything.
pub(super) fn clear() -> Notice {
    update(&file(), Entries::clear)
}

/// All entries, and what is to be said about the file.
pub(super) fn entries() -> (Entries, Notice) {
    if let Some(entries) = &*MEMORY.lock().unwrap_or_else(|broken| broken.into_inner()) {
        return (entries.clone(), None);
    }
    read(&file())
}

fn from_value(value: Option<&Value>) -> Entry {
    let number = |name: &str| value.and_then(|v| v[name].as_u64()).unwrap_or(0);
    let right = value.and_then(|v| v["right"].as_bool()).unwrap_or(false);
    Entry { right, tries: number("tries"), hints: number("hints") }
}

fn update(file: &Path, change: impl FnOnce(&mut Entries)) -> Notice {
    let mut memory = MEMORY.lock().unwrap_or_else(|broken| broken.into_inner());
    if let Some(entries) = &mut *memory {
        change(entries);
        return None;
    }
    let lock = match lock(file) {
        Ok(lock) => lock,
        Err(error) => {
            let mut entries = read(file).0;
            change(&mut entries);
            *memory = Some(entries);
            return Some(not_kept(file, &error));
        }
    };
    let (mut entries, notice) = read(file);
    change(&mut entries);
    let written = write(file, &entries);
    drop(lock);
    if let Err(error) = written {
        *memory = Some(entries);
        return Some(not_kept(file, &error));
    }
    notice
}

fn not_kept(file: &Path, error: &io::Error) -> String {
    format!(
        "your progress could not be written to {} ({error}); it is kept until this kernel ends. NCHW_PROGRESS can \
         name another file",
        file.display()
    )
}

/// Held by one kernel at a time; the system lets go of it when a kernel dies.
fn lock(file: &Path) -> io::Result<fs::File> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let lock = fs::OpenOptions::new().create(true).append(true).open(beside(file, "lock"))?;
    // Some network folders know no locks; reading before every write must do there.
    match lock.lock() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        _ => Ok(lock),
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{ending}"));
    file.with_file_name(name)
}

/// A file that is not there has no entries; a damaged one is set aside.
fn read(file: &Path) -> (Entries, Notice) {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (Entries::new(), None),
        // No text at all: damaged as well.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return (Entries::new(), Some(set_aside(file)));
        }
        Err(error) => {
            return (Entries::new(), Some(format!("{} could not be read ({error})", file.display())));
        }
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(entries)) => (entries, None),
        _ => (Entries::new(), Some(set_aside(file))),
    }
}

fn set_aside(file: &Path) -> String {
    let aside = (1..).map(|n| beside(file, &format!("damaged-{n}"))).find(|name| !name.exists());
    let aside = aside.unwrap_or_else(|| beside(file, "damaged"));
    match fs::rename(file, &aside) {
        Ok(()) => format!(
            "{} was damaged; it now lies at {}, and the count begins anew",
            file.display(),
            aside.display()
        ),
        Err(error) => format!("{} is damaged and could not be set aside ({error})", file.display()),
    }
}

/// Written beside and renamed: a reader sees the old file or the new one.
fn write(file: &Path, entries: &Entries) -> io::Result<()> {
    let new = beside(file, &format!("new-{}", std::process::id()));
    let text = serde_json::to_string_pretty(entries)?;
    fs::write(&new, text + "\n")?;
    fs::rename(&new, file).inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })
}

/// How many questions of each topic are answered.
#[derive(Clone)]
pub struct Progress {
    /// Topic, answered right, all there are.
    pub topics: Vec<(Topic, usize, usize)>,
    /// Tries so far, right or wrong.
    pub tries: u64,
    /// About the file, when there is something to say.
    pub notice: Option<String>,
}

impl Progress {
    /// Of these questions, by topic; ids that are not among them were made by chance.
    pub(super) fn of(questions: &[(&str, Topic)]) -> Progress {
        let (entries, notice) = entries();
        let right = |id: &str| from_value(entries.get(id)).right;
        let mut topics = vec![];
        for topic in Topic::ALL {
            let ids: Vec<&str> = match topic {
                Topic::Random => {
                    entries.keys().map(String::as_str).filter(|id| id.starts_with("random-")).collect()
                }
                _ => questions.iter().filter(|(_, of)| *of == topic).map(|(id, _)| *id).collect(),
            };
            if !ids.is_empty() {
                topics.push((topic, ids.iter().filter(|id| right(id)).count(), ids.len()));
            }
        }
        let tries = entries.values().map(|value| from_value(Some(value)).tries).sum();
        Progress { topics, tries, notice }
    }

    fn total(&self) -> (usize, usize) {
        self.topics.iter().fold((0, 0), |(right, all), topic| (right + topic.1, all + topic.2))
    }

    /// Called by evcxr for the last expression of a cell.
    pub fn evcxr_display(&self) {
        show_html(&self.html(), &self.to_string());
    }

    /// As HTML: one row a topic, with a bar.
    fn html(&self) -> String {
        let bar = |topic: Topic, right: usize, all: usize| {
            let label = format!("{topic}: {right} of {all} right");
            format!(
                "<progress aria-label=\"{label}\" value=\"{right}\" max=\"{all}\">{right} of {all}</progress>"
            )
        };
        let rows: String = self
            .topics
            .iter()
            .map(|(topic, right, all)| {
                format!(
                    "<tr><th scope=\"row\" style=\"text-align:left\">{topic}</th><td>{}</td><td>{right} of {all}</td></tr>",
                    bar(*topic, *right, *all)
                )
            })
            .collect();
        let (right, all) = self.total();
        let notice: String = self.notice.iter().map(|n| format!("<p>{}</p>", escape(n))).collect();
        format!(
            "<table><caption>Quizzes: {right} of {all} right, tries: {}</caption>\
             <tr><th scope=\"col\">topic</th><th scope=\"col\">bar</th><th scope=\"col\">right</th></tr>{rows}</table>{notice}",
            self.tries
        )
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (right, all) = self.total();
        write!(f, "Quizzes: {right} of {all} right, tries: {}", self.tries)?;
        for (topic, right, all) in &self.topics {
            let filled = right * 20 / all.max(&1);
            let bar = "#".repeat(filled) + &".".repeat(20 - filled);
            write!(f, "\n  {:<16} [{bar}] {right} of {all}", topic.name())?;
        }
        self.notice.iter().try_for_each(|notice| write!(f, "\n{notice}"))
    }
}

debug_as_display!(Progress);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempFolder;

    #[test]
    fn a_damaged_file_is_set_aside_and_named() {
        let folder = TempFolder::new("quiz-damaged");
        let file = folder.path().join("progress.json");
        for (n, bytes) in [(1, b"{ not json".as_slice()), (2, b"\xff\xfe"), (3, b"[1, 2]")] {
            fs::write(&file, bytes).unwrap();
            let (entries, notice) = read(&file);
            let aside = format!("progress.json.damaged-{n}");
            assert!(entries.is_empty() && notice.unwrap().contains(&aside));
            assert_eq!(fs::read(folder.path().join(&aside)).unwrap(), bytes);
        }
    }

    #[test]
    fn kernels_at_once_lose_nothing() {
        let folder = TempFolder::new("quiz-at-once");
        let file = folder.path().join("deep").join("progress.json");
        // Each thread stands for a kernel: its own lock, no shared memory.
        std::thread::scope(|scope| {
            for kernel in 0..4 {
                let file = &file;
                scope.spawn(move || {
                    for question in 0..25 {
                        let lock = lock(file).unwrap();
                        let (mut entries, notice) = read(file);
                        assert!(notice.is_none());
                        entries.insert(format!("{kernel}-{question}"), json!({ "right": true }));
                        write(file, &entries).unwrap();
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(read(&file).0.len(), 100);
    }
}
