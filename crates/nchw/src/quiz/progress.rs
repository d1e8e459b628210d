//! The learner's progress: a small file that outlives the kernel.
//!
//! The file is read again before every change and replaced completely, under a lock: two kernels do
//! not lose each other's entries, and a kernel that is killed leaves the old file. A file that cannot
//! be read or written is left as it is; the answers are then kept in memory.

use crate::error::debug_as_display;
use crate::files;
use crate::notebook::{Output, shows};
use nchw_core::html::escape;
use nchw_core::quiz::{feedback::Notice, question::Topic};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env, fmt,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Entries by the questions' ids.
type Entries = BTreeMap<String, Entry>;

/// The entries if the file cannot be used; the learner has been told so.
static MEMORY: Mutex<Option<Entries>> = Mutex::new(None);

/// The progress on one question.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    pub right: bool,
    pub tries: u64,
    pub hints: u64,
}

/// The file: `NCHW_PROGRESS`, else in the user's state folder.
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
    entries().0.get(id).copied().unwrap_or_default()
}

/// Changes the entry of one question.
pub(super) fn change(id: &str, change: impl FnOnce(&mut Entry)) -> Notice {
    update(&file(), |entries| change(entries.entry(id.into()).or_default()))
}

/// Deletes all entries.
pub(super) fn clear() -> Notice {
    let file = file();
    let reports = reports_file(&file);
    let notice = match fs::remove_file(&reports) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Some(format!("{} could not be deleted ({error})", reports.display()))
        }
        _ => None,
    };
    update(&file, Entries::clear).or(notice)
}

/// The attempts in forms, which the Jupyter server has written (`nchw_answers.py`).
fn reports_file(file: &Path) -> PathBuf {
    files::with_ending(file, "forms")
}

/// Adds the attempts in forms. Lines that are not valid are left out: one attempt more or less is
/// not worth a message.
fn add_reports(reports: &str, entries: &mut Entries) {
    #[derive(Deserialize)]
    struct Report {
        id: String,
        right: bool,
    }
    for Report { id, right } in reports.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        let entry = entries.entry(id).or_default();
        entry.tries += 1;
        entry.right |= right;
    }
}

/// All entries, with the attempts in forms, and a message about the file.
fn entries() -> (Entries, Notice) {
    let (mut entries, notice) = entries_of_cells();
    add_reports(&fs::read_to_string(reports_file(&file())).unwrap_or_default(), &mut entries);
    (entries, notice)
}

/// The attempts and hints in cells, and a message about the file.
fn entries_of_cells() -> (Entries, Notice) {
    if let Some(entries) = &*MEMORY.lock().unwrap_or_else(|broken| broken.into_inner()) {
        return (entries.clone(), None);
    }
    let file = file();
    match read(&file) {
        Ok(Found::Whole(entries)) => (entries, None),
        Ok(Found::Damaged(_)) => {
            let notice = format!("{} is damaged: the next answer starts a new file", file.display());
            (Entries::new(), Some(notice))
        }
        Err(error) => (Entries::new(), Some(format!("{} could not be read ({error})", file.display()))),
    }
}

fn update(file: &Path, change: impl FnOnce(&mut Entries)) -> Notice {
    let mut memory = MEMORY.lock().unwrap_or_else(|broken| broken.into_inner());
    update_or_keep(file, &mut memory, change)
}

/// Changes the file, or `memory` if the file cannot be used.
fn update_or_keep(file: &Path, memory: &mut Option<Entries>, change: impl FnOnce(&mut Entries)) -> Notice {
    if let Some(entries) = memory {
        change(entries);
        return None;
    }
    let mut entries = Entries::new();
    let notice = match update_file(file, &mut entries, change) {
        Ok(notice) => return notice,
        Err(error) => not_kept(file, &error),
    };
    *memory = Some(entries);
    Some(notice)
}

/// Replaces `entries` with those of the file if it can be read, then changes them.
fn update_file(file: &Path, entries: &mut Entries, change: impl FnOnce(&mut Entries)) -> io::Result<Notice> {
    let locked = files::lock(file);
    let found = read(file);
    if let Ok(Found::Whole(there)) = &found {
        entries.clone_from(there);
    }
    change(entries);
    let _lock = locked?;
    let notice = match found? {
        Found::Whole(_) => None,
        Found::Damaged(bytes) => Some(set_aside(file, &bytes)?),
    };
    files::write(file, (serde_json::to_string_pretty(entries)? + "\n").as_bytes())?;
    Ok(notice)
}

fn not_kept(file: &Path, error: &io::Error) -> String {
    format!(
        "your progress in {} could not be read or written ({error}): the file is left as it is, and your answers are \
         kept until this kernel ends. NCHW_PROGRESS can name another file",
        file.display()
    )
}

/// The contents of a file.
enum Found {
    Whole(Entries),
    /// Its bytes, which are not valid entries.
    Damaged(Vec<u8>),
}

/// A missing file has no entries.
fn read(file: &Path) -> io::Result<Found> {
    let bytes = match fs::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Whole(Entries::new())),
        read => read?,
    };
    Ok(serde_json::from_slice(&bytes).map_or(Found::Damaged(bytes), Found::Whole))
}

/// Copies a damaged file next to itself, under an unused name.
fn set_aside(file: &Path, bytes: &[u8]) -> io::Result<String> {
    for number in 1.. {
        let aside = files::with_ending(file, &format!("damaged-{number}"));
        match File::create_new(&aside) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => {
                let mut copy = created?;
                copy.write_all(bytes)?;
                copy.sync_all()?;
                return Ok(format!(
                    "{} was damaged; its contents are now in {}, and a new file is started",
                    file.display(),
                    aside.display()
                ));
            }
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// The number of questions answered right, by topic.
#[derive(Clone)]
pub struct Progress {
    /// The topic, how many of its questions are answered right, and how many there are.
    pub topics: Vec<(Topic, usize, usize)>,
    /// The number of attempts, right or wrong.
    pub tries: u64,
    /// A message about the file, if there is one.
    pub notice: Option<String>,
}

impl Progress {
    /// The progress on these questions, by topic; other ids belong to random questions.
    pub(super) fn of(questions: &[(&str, Topic)]) -> Progress {
        let (entries, notice) = entries();
        let right = |id: &str| entries.get(id).is_some_and(|entry| entry.right);
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
        let tries = entries.values().map(|entry| entry.tries).sum();
        Progress { topics, tries, notice }
    }

    fn total(&self) -> (usize, usize) {
        self.topics.iter().fold((0, 0), |(right, all), topic| (right + topic.1, all + topic.2))
    }

    /// As HTML: one row per topic, with a bar.
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

shows!(Progress: |progress| Output::html(progress.html(), progress));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempFolder;

    fn put(file: &Path, id: &str, memory: &mut Option<Entries>) -> Notice {
        update_or_keep(file, memory, |entries| {
            entries.insert(id.into(), Entry { right: true, ..Entry::default() });
        })
    }

    fn ids(file: &Path) -> Vec<String> {
        match read(file).unwrap() {
            Found::Whole(entries) => entries.keys().cloned().collect(),
            Found::Damaged(bytes) => panic!("{bytes:?}"),
        }
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_named() {
        let folder = TempFolder::new("quiz-damaged");
        let file = folder.path().join("progress.json");
        // A user's file and a broken link: neither is overwritten.
        let mine = folder.path().join("progress.json.damaged-2");
        fs::write(&mine, "mine").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("progress.json.damaged-4")).unwrap();
        let other = br#"{ "b1": 7 }"#;
        for (n, bytes) in [(1, b"{ not json".as_slice()), (3, b"\xff\xfe"), (5, b"[1, 2]"), (6, other)] {
            fs::write(&file, bytes).unwrap();
            let notice = put(&file, "b2", &mut None);
            let aside = format!("progress.json.damaged-{n}");
            assert!(notice.unwrap().contains(&aside));
            assert_eq!(fs::read(folder.path().join(&aside)).unwrap(), bytes);
            assert_eq!(ids(&file), ["b2"]);
        }
        assert_eq!(fs::read_to_string(mine).unwrap(), "mine");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_alone() {
        let folder = TempFolder::new("quiz-unreadable");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("file"), "a user's").unwrap();
        // On Linux, reading the first bytes of one's own memory is an input/output error.
        std::os::unix::fs::symlink("/proc/self/mem", at("broken")).unwrap();
        let names = ["folder", "file/progress.json", "broken"];
        for name in &names[..if cfg!(target_os = "linux") { 3 } else { 2 }] {
            let mut memory = None;
            let notice = put(&at(name), "b2", &mut memory).unwrap();
            assert!(notice.contains("is left as it is") && notice.contains("NCHW_PROGRESS"), "{notice}");
            assert_eq!(put(&at(name), "b3", &mut memory), None, "said once");
            assert_eq!(memory.unwrap().len(), 2);
        }
        assert!(at("folder").is_dir() && fs::read_to_string(at("file")).unwrap() == "a user's");
        assert_eq!(fs::read_link(at("broken")).unwrap(), Path::new("/proc/self/mem"));
    }

    #[test]
    fn what_was_answered_stays_when_the_file_cannot_be_written() {
        let folder = TempFolder::new("quiz-no-lock");
        let file = folder.path().join("progress.json");
        assert_eq!(put(&file, "a1", &mut None), None);
        fs::remove_file(folder.path().join("progress.json.lock")).unwrap();
        fs::create_dir(folder.path().join("progress.json.lock")).unwrap();
        let mut memory = None;
        assert!(put(&file, "b2", &mut memory).is_some());
        assert_eq!(memory.unwrap().keys().collect::<Vec<_>>(), ["a1", "b2"]);
        assert_eq!(ids(&file), ["a1"]);
    }

    /// The lines are those that `nchw_answers.py` writes.
    #[test]
    fn attempts_in_forms_are_added() {
        let mut entries = Entries::from([("a2".into(), Entry { tries: 2, hints: 1, right: false })]);
        let reports = "{\"id\": \"a2\", \"right\": false}\n{\"id\": \"a2\", \"right\": true}\ncut o\n\n\
                       {\"id\": \"random-7-2\", \"right\": false}\n{\"id\": \"b1\", \"ri";
        add_reports(reports, &mut entries);
        let seen: Vec<_> = entries.iter().map(|(id, e)| (id.as_str(), e.right, e.tries, e.hints)).collect();
        assert_eq!(seen, [("a2", true, 4, 1), ("random-7-2", false, 1, 0)]);
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
                        assert_eq!(put(file, &format!("{kernel}-{question}"), &mut None), None);
                    }
                });
            }
        });
        assert_eq!(ids(&file).len(), 100);
    }
}
