//! Compiles a cell without cargo.
//!
//! evcxr runs `cargo build` for every cell, and cargo needs a third of the cell's time to find out that only the
//! cell has changed. So the command line of rustc is recorded once, and later cells and kernels run rustc with it, until
//! something changes that cargo derives it from.

pub mod compiled;
pub mod package;

use crate::kernel::{fresh, variable};
use crate::system::files;
use anyhow::{Context, Result, bail};
use compiled::{Answer, Cell};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::{env, fs};

/// evcxr's package, which contains one cell.
const CRATE: &str = "ctx";
/// Where evcxr reads the path of the library that it loads. Set only when it compiles a cell.
const LIBRARY_PATH: &str = "EVCXR_EXECUTION_SO_PATH";
/// rust-analyzer's own copy of the lock file, for a question to cargo.
pub const LOCK_FILE: &str = "CARGO_RESOLVER_LOCKFILE_PATH";
/// Where [`as_rustc`] writes the command line.
const RECORD: &str = "NCHW_RECORD";
/// Set if evcxr itself is the `RUSTC_WRAPPER`, after its commands `:cache` and `:allow_static_linking 0`.
const OWN_WRAPPER: &str = "EVCXR_RUSTC_WRAPPER";
const WRAPPER: &str = "RUSTC_WRAPPER";
/// The wrapper that [`as_rustc`] starts.
const BEHIND: &str = "NCHW_RUSTC_WRAPPER";
/// What begins the names of the variables that the command line depends on.
const INFLUENTIAL: [&str; 9] =
    ["CARGO", "RUST", "EVCXR", "NCHW", "LIBTORCH", "LD_", "DYLD_", "PATH", "TORCH"];

/// Compiles a cell for evcxr, which runs `cargo build` or `cargo check` with these arguments. Returns the exit status,
/// or None if this is not the compilation of a cell.
///
/// evcxr checks a cell if it cannot find the type of a variable, for example after a forgotten semicolon. For cargo
/// that is another kind of compilation, and it would take a minute to check all packages first.
pub fn compile(home: &Path, cargo: &mut Command, args: &[OsString]) -> Result<Option<i32>> {
    let told = env::var_os(LIBRARY_PATH).map(PathBuf::from);
    let is_check = told.is_none() && args.iter().any(|arg| arg == "check");
    let is_build = told.is_some() && args.iter().any(|arg| arg == "build");
    let Some(build) = env::var_os("CARGO_BUILD_BUILD_DIR").filter(|_| is_build || is_check) else {
        return Ok(None);
    };
    let args: Vec<_> =
        args.iter().map(|arg| if arg == "check" { "build".as_ref() } else { &**arg }).collect();
    let (folder, record) = (env::current_dir()?, Path::new(&build).join("ctx.json"));
    // cargo compiles an edited crate again.
    let manifest = fs::read_to_string("Cargo.toml").unwrap_or_default();
    let kept = package::has_only_the_course(&manifest).then_some(home);
    if fresh::is_fresh(home)
        && !package::has_other_crates(&manifest)
        && let Some(known) = read(&record)
        && known["key"] == key(&args, &folder)
        && let Ok(status) =
            run(&known, told.as_deref(), &Place { kept, slot: &folder, build: build.as_ref() })
    {
        return Ok(Some(status));
    }
    let _ = fs::remove_file(&record);
    // Instead of the user's own. A cache such as sccache is of no use for a cell, which is compiled once. Not as
    // `RUSTC_WORKSPACE_WRAPPER`: for cargo, crates with and without one are different.
    cargo.args(&args).env("RUSTC_WRAPPER", home.join("bin/rustc")).env(RECORD, &record);
    match env::var_os(WRAPPER).filter(|_| env::var_os(OWN_WRAPPER).is_some()) {
        Some(evcxr) => cargo.env(BEHIND, evcxr),
        None => cargo.env_remove(BEHIND),
    };
    let inside = package::InWorkspace::begin(&variable("NCHW_COURSE")?, &folder)?;
    // After `:clear`, no cell needs the crate, and cargo would remove its packages from the lock file.
    let lock = fs::read("Cargo.lock").ok().filter(|_| inside.is_none());
    let status = forward(cargo, &folder)?;
    drop(inside);
    if let Some(lock) = lock {
        fs::write("Cargo.lock", lock)?;
    }
    if status.success()
        && let Some(mut known) = read(&record)
    {
        known["key"] = key(&args, &folder).into();
        files::write(&record, known.to_string())?;
    }
    Ok(Some(status.code().unwrap_or(1)))
}

/// Runs cargo in this folder and passes on what it says, errors [`with_place`].
fn forward(cargo: &mut Command, folder: &Path) -> Result<ExitStatus> {
    let mut cargo = cargo.stdout(Stdio::piped()).spawn().context("could not start cargo")?;
    for line in BufReader::new(cargo.stdout.take().context("cargo has no stdout")?).lines() {
        println!("{}", with_place(line?, folder));
    }
    Ok(cargo.wait()?)
}

/// Becomes rustc, for cargo, behind the wrapper that evcxr wants. If it compiles a cell, its command line is recorded.
pub fn as_rustc(args: &[OsString]) -> Result<()> {
    let (rustc, args) = args.split_first().context("cargo calls this with the compiler")?;
    let mut args = args.to_vec();
    if let Some(record) = env::var_os(RECORD)
        && args.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1] == CRATE)
    {
        same_types(&mut args);
        if let Some(known) = command_line(rustc, &args) {
            files::write(Path::new(&record), known.to_string())?;
        }
    }
    let mut command = match env::var_os(BEHIND) {
        Some(wrapper) => {
            let mut command = Command::new(wrapper);
            command.arg(rustc);
            command
        }
        None => Command::new(rustc),
    };
    bail!("could not start rustc: {}", command.args(args).exec());
}

/// Gives all cells the same identity for the compiler. Cargo's depends on the list of packages: after a `:dep`, a
/// learner's own struct would be another type, and evcxr would drop every variable that contains one.
fn same_types(args: &mut [OsString]) {
    for arg in args {
        if arg.to_str().is_some_and(|arg| arg.starts_with("metadata=")) {
            *arg = format!("metadata={CRATE}").into();
        }
    }
}

/// What [`run`] needs; None if this does not compile a cell, or if a path is not UTF-8.
fn command_line(rustc: &OsString, args: &[OsString]) -> Option<Value> {
    let args: Vec<&str> = args.iter().map(|arg| arg.to_str()).collect::<Option<_>>()?;
    let after = |name| args.iter().position(|arg| *arg == name).and_then(|at| args.get(at + 1).copied());
    if after("--crate-name") != Some(CRATE) {
        return None;
    }
    let library = Path::new(after("--out-dir")?).join(format!("{DLL_PREFIX}{CRATE}{DLL_SUFFIX}"));
    let mut variables = Map::new();
    for (name, value) in env::vars_os() {
        let name = name.into_string().ok()?;
        // The connection to cargo's jobs ends with cargo.
        let from_cargo = name.starts_with("CARGO") && name != "CARGO_MAKEFLAGS";
        if from_cargo || ["OUT_DIR", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"].contains(&name.as_str())
        {
            variables.insert(name, value.to_str()?.into());
        }
    }
    Some(
        json!({"rustc": rustc.to_str()?, "args": args, "variables": variables, "library": library.to_str()?}),
    )
}

fn read(record: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(record).ok()?).ok()
}

/// A hash of all that cargo derives the command line from, besides the source of the course's crates. A cell waits for
/// it, and SHA-256 takes 10 ms in this program, which is not optimised.
pub fn key(args: &[&OsStr], folder: &Path) -> u64 {
    let mut variables: Vec<_> = env::vars_os()
        .filter(|(name, _)| name != LIBRARY_PATH && name != LOCK_FILE)
        .filter(|(name, _)| INFLUENTIAL.iter().any(|start| name.to_string_lossy().starts_with(start)))
        .collect();
    variables.sort();
    // cargo reads the configuration of every folder above. Not the lock file: every kernel starts with the same one,
    // and cargo removes from it what no cell needs. Other versions only come with another list of packages.
    let configurations = folder.ancestors().map(|folder| folder.join(".cargo/config.toml"));
    let files: Vec<_> =
        configurations.chain([folder.join("Cargo.toml")]).map(|path| fs::read(path).ok()).collect();
    let mut hasher = DefaultHasher::new();
    (args, variables, files).hash(&mut hasher);
    hasher.finish()
}

/// Where a cell is compiled.
struct Place<'a> {
    /// The clone's `.nchw/kernel`, if what is compiled may be kept there.
    kept: Option<&'a Path>,
    slot: &'a Path,
    build: &'a Path,
}

/// Runs rustc as recorded, and writes the path of the library into the file `told`; without it, only checks the cell.
/// A cell that was compiled before is not compiled again. The errors go to the same place as cargo's, and evcxr reads both.
fn run(known: &Value, told: Option<&Path>, place: &Place) -> Result<i32> {
    let text = |name: &str| known[name].as_str().with_context(|| format!("the record has no {name}"));
    let (rustc, library) = (text("rustc")?, PathBuf::from(text("library")?));
    let args = known["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let args: Vec<String> =
        args.map(|arg| if told.is_none() { for_check(arg) } else { arg.to_owned() }).collect();
    let cell = place
        .kept
        .and_then(|home| Cell::new(home, place.slot, place.build, (rustc, &args), &known["variables"]).ok());
    let list = library.with_file_name(format!("{CRATE}.d"));
    // As cargo does: this may be the same file as the library of an earlier cell, which is in use.
    let _ = fs::remove_file(&library);
    let _ = fs::remove_file(&list);
    let answer = match cell.as_ref().and_then(Cell::answer) {
        Some(before) => {
            before.library.iter().try_for_each(|bytes| fs::write(&library, bytes))?;
            before.said.iter().for_each(|line| eprintln!("{line}"));
            before
        }
        None => {
            let variables = known["variables"].as_object().into_iter().flatten();
            let variables = variables.filter_map(|(name, value)| Some((name, value.as_str()?)));
            let mut answer = call(Command::new(rustc).args(&args).envs(variables))?;
            answer.library = fs::read(&library).ok().filter(|_| told.is_some() && answer.status == 0);
            if let Some(cell) =
                cell.filter(|_| told.is_none() || answer.status != 0 || answer.library.is_some())
            {
                // Only for the next time.
                let _ = cell.keep(&answer, &list);
            }
            answer
        }
    };
    if let Some(told) = told.filter(|_| answer.status == 0) {
        fs::write(told, text("library")?)?;
    }
    Ok(answer.status)
}

/// An argument of rustc, if the cell is only checked. What the compiler keeps for the next cell does not fit a check.
fn for_check(arg: &str) -> String {
    match arg.split_once('=') {
        Some(("--emit", _)) => "--emit=dep-info,metadata".into(),
        Some(("incremental", folder)) => format!("incremental={folder}-check"),
        _ => arg.to_owned(),
    }
}

/// Runs the compiler, and passes on what it says, errors [`without_notes`].
fn call(rustc: &mut Command) -> Result<Answer> {
    let mut rustc = rustc.stderr(Stdio::piped()).spawn()?;
    let mut said = Vec::new();
    for line in BufReader::new(rustc.stderr.take().context("the compiler has no stderr")?).lines() {
        let line = without_notes(line?);
        eprintln!("{line}");
        said.push(line);
    }
    Ok(Answer { status: rustc.wait()?.code().unwrap_or(101), said, library: None })
}

/// An error in another crate than the cell, with all that rustc says of it as its message: evcxr shows only the message,
/// such as "mismatched types". Its files are named as the learner knows them, not by the links in the working folder. Its
/// places are left out: evcxr would take a line of any `lib.rs` for a line of the cell.
fn with_place(line: String, folder: &Path) -> String {
    let Ok(mut said) = serde_json::from_str::<Value>(&line) else { return line };
    let Some(error) = said["message"].as_object().filter(|message| message["level"] == "error") else {
        return line;
    };
    let (Some(text), Some(spans)) = (error["rendered"].as_str(), error["spans"].as_array()) else {
        return line;
    };
    if said["target"]["name"] == CRATE || spans.is_empty() {
        return line;
    }
    let names: BTreeSet<&str> = spans.iter().filter_map(|span| span["file_name"].as_str()).collect();
    let text = names.into_iter().fold(text.trim_end().to_owned(), |text, name| {
        match folder.join(name).canonicalize() {
            Ok(file) => text.replace(name, &file.display().to_string()),
            Err(_) => text,
        }
    });
    said["message"]["message"] = text.into();
    for places in ["spans", "children"] {
        said["message"][places] = json!([]);
    }
    said.to_string()
}

/// An error without its notes about other places, such as "function defined here". If an error is in the last
/// expression and a note in the learner's own function, evcxr shows only the note.
fn without_notes(line: String) -> String {
    let Ok(mut error) = serde_json::from_str::<Value>(&line) else { return line };
    let Some(children) = error["children"].as_array_mut() else { return line };
    let elsewhere =
        |child: &Value| child["level"] == "note" && child["spans"].as_array().is_some_and(|s| !s.is_empty());
    children.retain(|child| !elsewhere(child));
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn only_the_compilation_of_a_cell_is_recorded() {
        let rustc = OsString::from("/toolchain/bin/rustc");
        let cell = words("--crate-name ctx src/lib.rs --out-dir /build/deps -C rpath");
        let known = command_line(&rustc, &cell).unwrap();
        assert_eq!(known["rustc"], "/toolchain/bin/rustc");
        assert_eq!(known["args"].as_array().unwrap().len(), cell.len());
        assert_eq!(known["library"], format!("/build/deps/{DLL_PREFIX}ctx{DLL_SUFFIX}"));
        assert!(known["variables"]["CARGO_PKG_NAME"].is_string(), "cargo also runs this test");
        assert!(known["variables"]["CARGO_MAKEFLAGS"].is_null());
        for other in ["-vV", "--crate-name rand src/lib.rs --out-dir /build/deps", "--crate-name"] {
            assert_eq!(command_line(&rustc, &words(other)), None, "{other}");
        }
    }

    #[test]
    fn an_error_in_another_crate_says_where_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().canonicalize().unwrap();
        fs::create_dir_all(folder.join("mine/src")).unwrap();
        fs::write(folder.join("mine/src/lib.rs"), "").unwrap();
        std::os::unix::fs::symlink(folder.join("mine"), folder.join("link")).unwrap();
        let line = |target: &str, level: &str, spans: Value| {
            let message = json!({"message": "mismatched types", "level": level, "spans": spans, "children": [{"spans": spans}],
                "rendered": "error: mismatched types\n --> link/src/lib.rs:1:2\n\n"});
            json!({"reason": "compiler-message", "target": {"name": target}, "message": message}).to_string()
        };
        let span = json!({"file_name": "link/src/lib.rs"});
        let said = with_place(line("mine", "error", json!([span, span])), &folder);
        let said: Value = serde_json::from_str(&said).unwrap();
        let expected =
            format!("error: mismatched types\n --> {}:1:2", folder.join("mine/src/lib.rs").display());
        assert_eq!(said["message"]["message"], expected);
        assert_eq!((&said["message"]["spans"], &said["message"]["children"]), (&json!([]), &json!([])));
        let others = [
            line(CRATE, "error", json!([span])),
            line("mine", "warning", json!([span])),
            line("mine", "error", json!([])),
            json!({"reason": "build-finished", "success": false}).to_string(),
            "not JSON".to_owned(),
        ];
        for other in others {
            assert_eq!(with_place(other.clone(), &folder), other);
        }
    }

    #[test]
    fn the_command_line_is_used_until_something_changes_that_it_depends_on() {
        let temp = tempfile::tempdir().unwrap();
        let slot = temp.path().join("slots/0");
        fs::create_dir_all(slot.join("src")).unwrap();
        fs::create_dir_all(temp.path().join(".cargo")).unwrap();
        let build = words("build --message-format=json");
        let key = |args: &[OsString], folder: &Path| {
            key(&args.iter().map(|arg| &**arg).collect::<Vec<_>>(), folder)
        };
        let mut before = key(&build, &slot);
        fs::write(slot.join("src/lib.rs"), "a cell").unwrap();
        assert_eq!(key(&build, &slot), before, "a cell");
        for path in [slot.join("Cargo.toml"), temp.path().join(".cargo/config.toml")] {
            fs::write(&path, "changed").unwrap();
            let after = key(&build, &slot);
            assert_ne!(after, before, "{}", path.display());
            before = after;
        }
        assert_ne!(key(&words("--offline build --message-format=json"), &slot), before);
    }

    #[test]
    fn evcxr_is_told_of_the_library_unless_there_was_an_error() {
        let temp = tempfile::tempdir().unwrap();
        let (told, library) = (temp.path().join("told"), temp.path().join("libctx.so"));
        let known = |script: &str| json!({"rustc": "/bin/sh", "args": ["-c", script], "variables": {"LIBRARY": library}, "library": library});
        let place = Place { kept: Some(temp.path()), slot: temp.path(), build: temp.path() };
        let run = |script: &str| run(&known(script), Some(&told), &place).unwrap();
        fs::write(&library, "the one before").unwrap();
        assert_eq!(run("test ! -e $LIBRARY && exit 1"), 1);
        assert!(!told.exists(), "there was an error");
        assert_eq!(run("echo new > $LIBRARY"), 0);
        assert_eq!(fs::read_to_string(&told).unwrap(), library.to_str().unwrap());
        assert_eq!(fs::read_to_string(&library).unwrap(), "new\n");
    }

    #[test]
    fn a_cell_is_compiled_once() {
        let temp = tempfile::tempdir().unwrap();
        let (told, library) = (temp.path().join("told"), temp.path().join("libctx.so"));
        fs::create_dir(temp.path().join("src")).unwrap();
        let place = Place { kept: Some(temp.path()), slot: temp.path(), build: temp.path() };
        let script = "echo call >> $CALLS; echo 'a warning' >&2; echo 'ctx: src/lib.rs' > ${LIBRARY%lib*}ctx.d; cp src/lib.rs $LIBRARY";
        let script = format!("cd {}; {script}", temp.path().display());
        let variables = json!({"LIBRARY": library, "CALLS": temp.path().join("calls")});
        let known =
            json!({"rustc": "/bin/sh", "args": ["-c", script], "variables": variables, "library": library});
        let calls = || fs::read_to_string(temp.path().join("calls")).unwrap_or_default().lines().count();
        for (cell, expected) in [("a", 1), ("a", 1), ("b", 2), ("a", 2)] {
            fs::write(temp.path().join("src/lib.rs"), cell).unwrap();
            let _ = fs::remove_file(&told);
            assert_eq!(run(&known, Some(&told), &place).unwrap(), 0);
            assert_eq!(fs::read_to_string(&library).unwrap(), cell);
            assert!(told.exists());
            assert_eq!(calls(), expected, "after cell {cell}");
        }
        // A check has no library, and its answer is another one.
        fs::remove_file(&told).unwrap();
        assert_eq!(run(&known, None, &place).unwrap(), 0);
        assert!(!told.exists());
    }

    #[test]
    fn all_cells_are_the_same_crate() {
        let mut args = words("--crate-name ctx -C metadata=5aac9f31 -C rpath");
        same_types(&mut args);
        assert_eq!(args, words("--crate-name ctx -C metadata=ctx -C rpath"));
    }

    #[test]
    fn notes_about_other_places_are_left_out() {
        let note = r#"{"level":"note","message":"function defined here","spans":[{"line_start":1}]}"#;
        let help = r#"{"level":"help","message":"remove the extra argument","spans":[{"line_start":2}]}"#;
        let why = r#"{"level":"note","message":"expected `f32`, found `i32`","spans":[]}"#;
        let error = format!(r#"{{"children":[{note},{help},{why}],"message":"mismatched types"}}"#);
        let kept: Value = serde_json::from_str(&without_notes(error)).unwrap();
        assert_eq!(kept["message"], "mismatched types");
        assert_eq!(kept["children"].to_string(), format!("[{help},{why}]"));
        for other in ["error: not JSON", r#"{"artifact":"libctx.so","emit":"link"}"#] {
            assert_eq!(without_notes(other.into()), other);
        }
    }
}
