//! Cells that a kernel of this clone has compiled before.
//!
//! evcxr writes the same program again after "Restart Kernel and Run All Cells", when a lecturer opens a notebook that
//! was tried at home, and for the cells that every kernel begins with. So each result of the compiler is kept, under a
//! hash of all that it depends on.

use crate::system::files;
use anyhow::{Context, Result};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, time::SystemTime};

/// In the kernel's folder.
const FOLDER: &str = "cells";
/// How many are kept: more than all notebooks have, some 100 MB.
const KEPT: usize = 700;
/// The source of a cell in its working folder.
const SOURCE: &str = "src/lib.rs";
/// What stands for the paths of a working folder, which differ from kernel to kernel.
const PLACES: [&str; 2] = ["<nchw-build-folder>", "<nchw-working-folder>"];

/// A cell, and all that the compiler's result depends on.
pub struct Cell {
    kept: PathBuf,
    about: String,
    source: String,
    /// The build folder and the working folder.
    places: [String; 2],
}

/// What the compiler answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The exit status: 0, or 1 after an error.
    pub status: i32,
    /// The lines on stderr.
    pub said: Vec<String>,
    /// The library, unless there was an error or the cell was only checked.
    pub library: Option<Vec<u8>>,
}

impl Cell {
    /// The cell in the working folder `slot`, which `rustc` compiles with these arguments and variables. `home` is the
    /// clone's `.nchw/kernel`.
    pub fn new(
        home: &Path,
        slot: &Path,
        build: &Path,
        (rustc, args): (&str, &[String]),
        variables: &Value,
    ) -> Result<Cell> {
        let places = [build, slot].map(|path| path.display().to_string());
        let source = fs::read_to_string(slot.join(SOURCE)).context("there is no cell")?;
        // What is linked has a new time after it was compiled again.
        let linked = args.iter().filter_map(|arg| Some(arg.split_once('=')?.1)).chain([rustc]);
        let linked: Vec<_> = linked.filter_map(|path| Some((path, stamp(path)?))).collect();
        let rust =
            env::vars_os().map(|(name, value)| [name, value].map(|text| text.to_string_lossy().into_owned()));
        let mut rust: Vec<_> = rust.filter(|[name, _]| name.starts_with("RUST")).collect();
        rust.sort();
        let about = json!([args, variables, linked, rust, in_order(&source)]).to_string();
        let about = without_places(&about, &places);
        let mut hasher = DefaultHasher::new();
        about.hash(&mut hasher);
        let kept = home.join(FOLDER).join(format!("{:016x}", hasher.finish()));
        Ok(Cell { kept, about, source, places })
    }

    /// What the compiler answered before.
    pub fn answer(&self) -> Option<Answer> {
        let bytes = fs::read(&self.kept).ok()?;
        let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
        // The hash of another cell may be the same.
        if parts.next()? != self.about.as_bytes() {
            return None;
        }
        let answer: Value = serde_json::from_slice(parts.next()?).ok()?;
        let library = parts.next()?;
        // A power failure can leave a file that is too short, or zeros: evcxr would end when it loads them.
        if answer["check"] != check(library) {
            return None;
        }
        // The places of errors are lines of exactly this source.
        if answer["source"].as_str().is_some_and(|source| source != self.source) {
            return None;
        }
        let said = answer["said"].as_array()?.iter().filter_map(Value::as_str);
        let said = said.map(|line| with_places(line, &self.places)).collect();
        // The ones that nobody needed for the longest time are removed first.
        let used = File::options().append(true).open(&self.kept);
        let _ = used.and_then(|file| file.set_modified(SystemTime::now()));
        let status = i32::try_from(answer["status"].as_i64()?).ok()?;
        Some(Answer { status, said, library: (!library.is_empty()).then(|| library.to_vec()) })
    }

    /// Keeps an answer, if it depends on nothing but this cell. `list` is the compiler's list of what it has read.
    pub fn keep(&self, answer: &Answer, list: &Path) -> Result<()> {
        if !only_the_cell(&fs::read_to_string(list).unwrap_or_default()) || !is_final(answer) {
            return Ok(());
        }
        let said: Vec<_> = answer.said.iter().map(|line| without_places(line, &self.places)).collect();
        let library = answer.library.as_deref().unwrap_or_default();
        let source = said.iter().any(|line| line.contains("\"level\":")).then_some(&self.source);
        let header =
            json!({"status": answer.status, "said": said, "source": source, "check": check(library)});
        let mut bytes = format!("{}\n{header}\n", self.about).into_bytes();
        bytes.extend(library);
        files::write(&self.kept, bytes)?;
        remove_oldest(self.kept.parent().context("not in a folder")?)
    }
}

/// A checksum.
fn check(library: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(library);
    hasher.finish()
}

/// The size and the time of a file; None if there is none.
fn stamp(path: &str) -> Option<String> {
    let file = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(format!("{} {:?}", file.len(), file.modified().ok()?))
}

/// The source with the learner's items and evcxr's lines about the variables in order. evcxr writes both in another order
/// every time.
fn in_order(source: &str) -> String {
    // What evcxr writes behind the items; the second if the cell has only items.
    let begins = ["struct EvcxrUserCodeError", "#[unsafe(no_mangle)]"];
    let rest = begins.iter().filter_map(|begin| source.find(begin)).min();
    let (items, rest) = source.split_at(rest.unwrap_or(0));
    let kind = |line: &str| {
        let calls = ["check_variable::<", "take_variable::<", "put_variable::<"];
        let (before, call) = line.split_once("evcxr_variable_store.")?;
        let kind = calls.iter().position(|name| call.starts_with(name))?;
        let begins = ["vars_ok &= ", "let ", ""][kind];
        (before.starts_with(begins) && (kind == 1 || before == begins)).then_some(kind)
    };
    let lines: Vec<&str> = rest.lines().collect();
    let mut ordered = items_in_order(items);
    for same in lines.chunk_by(|one, other| kind(one).is_some() && kind(one) == kind(other)) {
        let mut same: Vec<String> = same.iter().map(ToString::to_string).collect();
        same.sort_unstable();
        ordered.extend(same);
    }
    ordered.join("\n")
}

/// Structs, functions and so on in alphabetical order, behind the file's attributes.
fn items_in_order(items: &str) -> Vec<String> {
    let as_it_is = || vec![items.to_owned()];
    let at = items.lines().take_while(|line| line.starts_with("#![")).map(|line| line.len() + 1).sum();
    let Some((attributes, items)) = items.split_at_checked(at) else { return as_it_is() };
    let Ok(tokens) = items.parse::<TokenStream>() else { return as_it_is() };
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(sign) => sign.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut parts: Vec<String> = tokens
        .split_inclusive(is_end)
        .map(|part| part.iter().cloned().collect::<TokenStream>().to_string())
        .collect();
    parts.sort_unstable();
    parts.insert(0, attributes.to_owned());
    parts
}

fn without_places(text: &str, places: &[String; 2]) -> String {
    // The build folder is in the working folder.
    text.replace(&places[0], PLACES[0]).replace(&places[1], PLACES[1])
}

fn with_places(text: &str, places: &[String; 2]) -> String {
    text.replace(PLACES[0], &places[0]).replace(PLACES[1], &places[1])
}

/// Whether the compiler has read only the cell, no file that it includes and no variable.
fn only_the_cell(list: &str) -> bool {
    let mut lines = list.lines().filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some()
        && lines.all(|line| {
            let read = line.split_once(": ").map_or(line.trim_end_matches(':'), |(_, read)| read);
            read == SOURCE
        })
}

/// The errors from which evcxr learns what a cell is: it has a `?`, it moves a variable, its value has no
/// `evcxr_display`. Others may have causes outside of the cell, such as a file that is missing.
const KEPT_ERRORS: [&str; 3] = ["E0277", "E0382", "E0599"];

/// Whether the compiler would answer the same again.
fn is_final(answer: &Answer) -> bool {
    let said = answer.said.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let errors: Vec<_> = said.filter(|said| said["level"] == "error").collect();
    let is_kept = |error: &Value| KEPT_ERRORS.iter().any(|code| error["code"]["code"] == *code);
    let is_end =
        |error: &Value| error["message"].as_str().is_some_and(|text| text.starts_with("aborting due to"));
    match answer.status {
        0 => true,
        1 => errors.iter().any(is_kept) && errors.iter().all(|error| is_kept(error) || is_end(error)),
        _ => false,
    }
}

/// Removes a fifth of what is kept, if it has become too much.
fn remove_oldest(folder: &Path) -> Result<()> {
    let all: Vec<_> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    if all.len() <= KEPT {
        return Ok(());
    }
    let mut dated: Vec<_> =
        all.into_iter().filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path))).collect();
    dated.sort();
    for (_, path) in dated.iter().take(KEPT / 5) {
        // Another kernel may be doing the same.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Place {
        temp: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Place {
            let temp = tempfile::tempdir().unwrap();
            for slot in ["slots/0", "slots/1"] {
                fs::create_dir_all(temp.path().join(slot).join("src")).unwrap();
                fs::create_dir_all(temp.path().join(slot).join("build")).unwrap();
            }
            fs::write(temp.path().join("rustc"), "compiler").unwrap();
            fs::write(temp.path().join("list"), "/a/libctx.so: src/lib.rs\n\nsrc/lib.rs:\n").unwrap();
            Place { temp }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.temp.path().join(name)
        }

        fn cell(&self, slot: &str, source: &str) -> Cell {
            let (slot, rustc) = (self.path(slot), self.path("rustc"));
            fs::write(slot.join(SOURCE), source).unwrap();
            let build = slot.join("build");
            let args = [format!("nchw={}", build.join("libnchw.so").display())];
            let variables = json!({"CARGO_MANIFEST_DIR": slot});
            Cell::new(self.temp.path(), &slot, &build, (rustc.to_str().unwrap(), &args), &variables).unwrap()
        }
    }

    fn success() -> Answer {
        Answer {
            status: 0,
            said: vec![r#"{"level":"warning"}"#.into()],
            library: Some(b"\x7fELF\n\n1".to_vec()),
        }
    }

    #[test]
    fn the_same_cell_has_the_same_answer_in_every_working_folder() {
        let place = Place::new();
        let build = place.path("slots/0/build");
        let said = vec![format!("{}/libctx.so", build.display()), "{build} and {slot}".into()];
        let answer = Answer { said, ..success() };
        let cell = place.cell("slots/0", "let a = 1;");
        assert_eq!(cell.answer(), None);
        cell.keep(&answer, &place.path("list")).unwrap();
        assert_eq!(cell.answer().unwrap(), answer);
        let elsewhere = place.cell("slots/1", "let a = 1;").answer().unwrap();
        let expected = place.path("slots/1/build/libctx.so").display().to_string();
        assert_eq!(elsewhere.said, [expected, "{build} and {slot}".into()]);
        assert_eq!(elsewhere.library, answer.library);
        assert_eq!(place.cell("slots/0", "let a = 2;").answer(), None, "another cell");
    }

    #[test]
    fn the_order_of_the_variables_does_not_matter_unless_the_compiler_names_a_line() {
        let source = |names: [&str; 2]| {
            let lines = |line: &str| names.map(|name| line.replace("NAME", name)).join("\n");
            format!(
                "{{let mut vars_ok = true;\n{}\nif !vars_ok {{return 1;}}}}\n{}\nlet z = 1;\nlet y = 2;\n{}\n}}\n",
                lines("vars_ok &= evcxr_variable_store.check_variable::<u8>(stringify!(NAME));"),
                lines("let mut NAME = evcxr_variable_store.take_variable::<u8>(stringify!(NAME));"),
                lines("evcxr_variable_store.put_variable::<u8>(stringify!(NAME), NAME);"),
            )
        };
        let place = Place::new();
        let [one, other] = [["a", "b"], ["b", "a"]].map(source);
        let answer = |source: &str| place.cell("slots/0", source).answer();
        let keep = |source: &str, kept: &Answer| {
            place.cell("slots/0", source).keep(kept, &place.path("list")).unwrap();
        };
        keep(&one, &success());
        assert_eq!((answer(&one), answer(&other)), (Some(success()), None), "said something about a line");
        let quiet = Answer { said: vec![r#"{"artifact":"libctx.so"}"#.into()], ..success() };
        keep(&one, &quiet);
        assert_eq!((answer(&one), answer(&other)), (Some(quiet.clone()), Some(quiet)));
        let learner_s = one.replace("let z = 1;\nlet y = 2;", "let y = 2;\nlet z = 1;");
        assert_eq!(answer(&learner_s), None, "the order of other lines");
    }

    #[test]
    fn the_order_of_items_does_not_matter_but_what_is_in_them_does() {
        let source = |items: &[&str]| {
            format!(
                "#![allow(warnings)]\n{}\nstruct EvcxrUserCodeError {{}}\nfn f() {{}}\n",
                items.join("\n")
            )
        };
        let [a, b, c] = [
            "#[derive(Debug)]\nstruct A;",
            "fn b() -> i32 {\n    1\n}",
            "const C: A = A { a: \"fn b() -> i32 {\" };",
        ];
        let same = [[a, b, c], [b, a, c], [c, b, a]].map(|items| in_order(&source(&items)));
        assert!(same.iter().all(|ordered| *ordered == same[0]), "{same:?}");
        let only_items = |one: &str, other: &str| {
            in_order(&format!(
                "{one}\n{other}\n#[unsafe(no_mangle)]\npub extern \"C\" fn run_user_code_5() {{}}"
            ))
        };
        assert_eq!(only_items(a, b), only_items(b, a));
        let swapped = [b.replace('1', "2"), "fn d() -> i32 {\n    1\n}".into()];
        let other = [b.to_owned(), "fn d() -> i32 {\n    2\n}".into()];
        let [swapped, other] = [swapped, other].map(|items| in_order(&source(&[&items[0], &items[1]])));
        assert_ne!(swapped, other);
    }

    #[test]
    fn a_crate_or_a_compiler_that_has_changed_is_another_cell() {
        let place = Place::new();
        for changed in ["rustc", "slots/0/build/libnchw.so"] {
            place.cell("slots/0", "let a = 1;").keep(&success(), &place.path("list")).unwrap();
            assert!(place.cell("slots/0", "let a = 1;").answer().is_some());
            fs::write(place.path(changed), "compiled again").unwrap();
            assert_eq!(place.cell("slots/0", "let a = 1;").answer(), None, "{changed}");
        }
    }

    #[test]
    fn a_cell_that_reads_anything_else_is_compiled_every_time() {
        let place = Place::new();
        let cell = place.cell("slots/0", "include_str!(\"data.csv\")");
        for list in [
            "/a/libctx.so: src/lib.rs /home/me/data.csv\n",
            "/a/libctx.so: src/lib.rs\n\n# env-dep:USER=me\n",
            "/a/libctx.so: /home/me/lib.rs\n",
            "",
        ] {
            fs::write(place.path("list"), list).unwrap();
            cell.keep(&success(), &place.path("list")).unwrap();
            assert_eq!(cell.answer(), None, "{list}");
        }
        cell.keep(&success(), &place.path("no list")).unwrap();
        assert_eq!(cell.answer(), None);
    }

    #[test]
    fn only_errors_about_the_code_are_kept() {
        let place = Place::new();
        let cell = place.cell("slots/0", "1.evcxr_display()");
        let mismatch = r#"{"level":"error","message":"no method named","code":{"code":"E0599"}}"#.to_string();
        let aborting = r#"{"level":"error","message":"aborting due to 1 previous error","code":null}"#;
        let full = r#"{"level":"error","message":"No space left on device","code":null}"#;
        let with = |status, said: &[&str]| Answer {
            status,
            said: said.iter().map(ToString::to_string).collect(),
            library: None,
        };
        for transient in [
            with(1, &[full, aborting]),
            with(1, &[&mismatch, full, aborting]),
            with(101, &[&mismatch, aborting]),
            with(1, &[]),
            // The file of a module may be there the next time.
            with(1, &[&mismatch.replace("E0599", "E0583"), aborting]),
        ] {
            cell.keep(&transient, &place.path("list")).unwrap();
            assert_eq!(cell.answer(), None, "{transient:?}");
        }
        let about_code = with(1, &[&mismatch, aborting]);
        cell.keep(&about_code, &place.path("list")).unwrap();
        assert_eq!(cell.answer().unwrap(), about_code);
    }

    #[test]
    fn a_damaged_file_is_no_answer() {
        let place = Place::new();
        let cell = place.cell("slots/0", "let a = 1;");
        cell.keep(&success(), &place.path("list")).unwrap();
        let whole = fs::read(&cell.kept).unwrap();
        for length in 0..whole.len() {
            fs::write(&cell.kept, &whole[..length]).unwrap();
            assert_eq!(cell.answer(), None, "{length} of {} bytes", whole.len());
        }
        for position in whole.len() - 5..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            fs::write(&cell.kept, damaged).unwrap();
            assert_eq!(cell.answer(), None, "byte {position}");
        }
    }

    #[test]
    fn what_was_used_last_is_kept() {
        let place = Place::new();
        let folder = place.path(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        let old = SystemTime::now() - Duration::from_secs(1_000);
        for number in 0..KEPT {
            let file = File::create(folder.join(number.to_string())).unwrap();
            file.set_modified(old + Duration::from_secs(number as u64 % 350)).unwrap();
        }
        let cell = place.cell("slots/0", "let a = 1;");
        cell.keep(&success(), &place.path("list")).unwrap();
        assert!(cell.answer().is_some());
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, KEPT + 1 - KEPT / 5);
        assert!(!folder.join("0").exists() && folder.join("349").exists());
    }
}
