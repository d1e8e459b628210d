//! Every check, in the order in which a failure is found soonest.

use crate::{
    deny,
    environment::of as environment,
    files,
    libtorch::{self, Wish},
    paths, run,
    setup::{self, Ready},
    skips,
};
use anyhow::{Context, Result, bail};
use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// A check and its name.
type Check<'a> = (&'a str, &'a dyn Fn() -> Result<()>);

/// `cargo xtask test`; when `strict`, it skips nothing but what needs a GPU.
pub fn test(strict: bool) -> Result<()> {
    let start = Instant::now();
    let ready = setup::setup(Wish::Any)?;
    skips::begin()?;
    let cargo = |args: &[&str]| run::run(&mut with_libtorch(&ready, args)?);
    // With what the program `nchw` needs, which notebooks are spared.
    let lints = "clippy --locked --workspace --all-targets --features nchw/program -- -D warnings";
    let tests = "test --locked --workspace --features nchw/program --quiet";
    let words = |line: &'static str| line.split(' ').collect::<Vec<_>>();
    let checker = ["unit_tests.py", "test_chores", "test_day", "test_environment", "test_notebooks"];
    let checks: [Check; 15] = [
        ("format", &|| cargo(&["fmt", "--all", "--check"])),
        ("lints", &|| cargo(&words(lints))),
        ("tests", &|| cargo(&words(tests)).and_then(|()| ignored())),
        ("fuzz", &|| fuzz(&ready)),
        ("command", &command),
        ("architecture", &architecture),
        ("dependencies", &|| deny::deny(false)),
        ("hosting", &hosting),
        ("notebook checker", &|| python(&checker)),
        ("kernel", &|| python(&["unit_tests.py", "test_kernel", "test_doctor"])),
        ("closed", &|| python(&["unit_tests.py", "test_closed"])),
        ("notebooks", &|| notebooks(true, &[])),
        ("mistakes", &|| mistakes(true)),
        ("book", &book_in_a_browser),
        ("browser", &|| browser(&ready)),
    ];
    let mut failed = Vec::new();
    for (name, check) in &checks {
        println!("\n== {name}");
        let begun = Instant::now();
        match check() {
            Ok(()) => println!("== {name}: ok, {:.0} s", begun.elapsed().as_secs_f64()),
            Err(error) => {
                println!("== {name}: FAILED: {error:#}");
                failed.push(*name);
            }
        }
    }
    let skipped = skips::report(strict);
    println!("\n{} passed, {} failed", checks.len() - failed.len(), failed.len());
    println!("after {:.0} s", start.elapsed().as_secs_f64());
    if !failed.is_empty() {
        bail!("these failed: {}", failed.join(", "));
    }
    skipped
}

/// Cargo, building and running against the course's libtorch.
fn with_libtorch(ready: &Ready, args: &[&str]) -> Result<Command> {
    let mut cargo = Command::new("cargo");
    // The settings replace torch-sys's build script; an engineer's own
    // `cargo test` does without them and compiles the C++ itself.
    let (command, rest) = args.split_first().context("cargo needs a command")?;
    cargo.arg(command);
    if *command != "fmt" {
        cargo.arg("--config").arg(paths::cargo_config());
    }
    cargo.args(rest).current_dir(paths::root()).env("LIBTORCH", libtorch::folder());
    cargo.env("OMP_WAIT_POLICY", "passive").env(skips::VARIABLE, skips::list());
    let folders = libtorch::library_folders(&ready.source)?;
    cargo.env("LD_LIBRARY_PATH", paths::prepend("LD_LIBRARY_PATH", &folders)?);
    Ok(cargo)
}

/// Tests that `cargo test` leaves out, apart from the one that the step "browser" runs.
fn ignored() -> Result<()> {
    for path in files_of(&paths::root().join("crates"))? {
        let ours = path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests/quiz_form.rs");
        if ours && fs::read_to_string(&path)?.lines().any(|line| line.trim_start().starts_with("#[ignore")) {
            skips::skip(&format!("what is marked #[ignore] in {}", path.display()))?;
        }
    }
    Ok(())
}

/// Bytes that nobody meant, for a minute, or for `NCHW_FUZZ_SECONDS`.
fn fuzz(ready: &Ready) -> Result<()> {
    let line = "test --locked -p nchw --features program --test fuzz --quiet -- --nocapture";
    let mut cargo = with_libtorch(ready, &line.split(' ').collect::<Vec<_>>())?;
    if env::var_os("NCHW_FUZZ_SECONDS").is_none() {
        cargo.env("NCHW_FUZZ_SECONDS", "60");
    }
    run::run(&mut cargo)
}

/// The command `nchw` as it is typed in a shell.
fn command() -> Result<()> {
    let mut nchw = Command::new(paths::venv("nchw"));
    let table = run::quiet(nchw.args(["shapes", "3x7x7", "conv 10 3x3; conv 20 3x3"]).current_dir("/"))?;
    if !table.contains("20x10x3x3") {
        bail!("`nchw shapes \"3x7x7\" \"conv 10 3x3; conv 20 3x3\"` printed:\n{table}");
    }
    // An engineer's own `cargo test` has no path for the loader.
    let library = libtorch::folder().join("lib/libtorch_cpu.so");
    let found = run::quiet(Command::new("ldd").arg(library).env_remove("LD_LIBRARY_PATH"))?;
    if found.contains("not found") {
        bail!("the libraries that libtorch needs are not all found:\n{found}");
    }
    Ok(())
}

/// Runs Python of the course's environment among the scripts of the chores.
fn python(args: &[&str]) -> Result<()> {
    let mut python = Command::new(paths::venv("python"));
    run::run(python.args(args).current_dir(paths::script("")).env(skips::VARIABLE, skips::list()))
}

/// `cargo xtask faults`.
pub fn faults(ready: &Ready) -> Result<()> {
    let mut python = Command::new(paths::venv("python"));
    run::run(python.arg(paths::script("faults.py")).arg("--libtorch").arg(libtorch::base(&ready.source)?))
}

/// Builds and runs notebooks, or checks them.
pub fn notebooks(check: bool, names: &[String]) -> Result<()> {
    let mut python = Command::new(paths::venv("python"));
    python.arg(paths::script("notebooks.py")).arg("--root").arg(paths::root());
    if check {
        python.arg("--check");
    }
    run::run(python.args(names))
}

/// Types what learners mistype, and compares or renews docs/mistakes.md.
pub fn mistakes(check: bool) -> Result<()> {
    let mut python = Command::new(paths::venv("python"));
    python.arg(paths::script("mistakes.py")).arg("--root").arg(paths::root());
    if check {
        python.arg("--check");
    }
    run::run(&mut python)
}

/// `cargo xtask book`.
pub fn book() -> Result<()> {
    let mut python = Command::new(environment(".venv-book", "book.lock")?);
    python.arg(paths::script("book.py")).arg("--root").arg(paths::root());
    run::run(&mut python)
}

/// The book on a phone and on a desk.
fn book_in_a_browser() -> Result<()> {
    book()?;
    if run::which("chromium").is_none() {
        return skips::skip(
            "the book in a browser: Chromium is not installed (Debian: apt-get install chromium)",
        );
    }
    let driver = environment(".venv-browser", "browser.lock")?;
    run::run(Command::new(driver).arg(paths::script("test_book.py")))
}

/// What only other machines run (Binder, a hub's Docker, GitHub), held to their rules at least.
fn hosting() -> Result<()> {
    let python = environment(".venv-lint", "lint.lock")?;
    let lines = [
        "check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml",
        "shellcheck binder/postBuild binder/start",
        "hadolint --failure-threshold warning Dockerfile",
    ];
    for line in lines {
        let (tool, files) = line.split_once(' ').context("a tool and its files")?;
        let mut tool = Command::new(python.with_file_name(tool));
        run::run(tool.args(files.split(' ')).current_dir(paths::root()))?;
    }
    Ok(())
}

/// What ARCHITECTURE.md says about who knows what, held by this check.
fn architecture() -> Result<()> {
    // (a word, and which files or folders alone may hold it)
    let only = [
        ("EVCXR_BEGIN_CONTENT", "figure.rs runtime.rs"),
        ("plotters", "canvas.rs chart.rs panels.rs"),
        ("ureq", "data/fetch/"),
    ];
    // (a word, and which files or folders may not hold it)
    let never = [
        ("tch::", "colour.rs random.rs shapes/ data/binary.rs data/samples.rs data/fetch/"),
        ("crate::figure", "shapes/ random.rs colour.rs"),
    ];
    let source = paths::root().join("crates/nchw/src");
    let reasons = fs::read_to_string(paths::root().join("ARCHITECTURE.md"))?;
    let mut wrong = Vec::new();
    for path in files_of(&source)? {
        let name = path.strip_prefix(&source)?.to_string_lossy().into_owned();
        let named = |places: &str| places.split(' ').any(|place| name.starts_with(place));
        let text = fs::read_to_string(&path)?;
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > 500 && !reasons.contains(&format!("| `{name}` |")) {
            wrong.push(format!("{name} has {lines} lines: split it, or give the reason in ARCHITECTURE.md"));
        }
        let forbidden = only.iter().filter(|(_, places)| !named(places));
        for (word, _) in forbidden.chain(never.iter().filter(|(_, places)| named(places))) {
            if text.contains(word) {
                wrong.push(format!("{name} must not know `{word}` (ARCHITECTURE.md)"));
            }
        }
    }
    wrong.extend(without_example(&source)?);
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(())
}

/// What the prelude gives and Shift-Tab shows without an example (doc tests compile them).
fn without_example(source: &Path) -> Result<Vec<String>> {
    let prelude = fs::read_to_string(source.join("prelude.rs"))?;
    let words = prelude.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let names: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut missing = Vec::new();
    for path in files_of(source)? {
        let text = fs::read_to_string(&path)?;
        let (mut docs, mut example) = (false, false);
        for line in text.lines() {
            // Items of a module alone: methods are indented.
            if let Some(doc) = line.strip_prefix("///") {
                example = (docs && example) || doc.contains("```");
                docs = true;
            } else if !line.starts_with("#[") {
                let item =
                    ["pub fn ", "pub struct ", "pub enum "].iter().find_map(|kind| line.strip_prefix(kind));
                let name =
                    item.and_then(|item| item.split(|c: char| !(c.is_alphanumeric() || c == '_')).next());
                if let Some(name) = name.filter(|name| names.contains(name) && !(docs && example)) {
                    missing.push(format!("`{name}` is in the prelude and its docs have no example"));
                }
                (docs, example) = (false, false);
            }
        }
    }
    Ok(missing)
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files_of(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// axe-core, the accessibility rules that a page is held against, beside the browser's driver.
fn axe(environment: &Path) -> Result<Option<PathBuf>> {
    if run::which("npm").is_none() {
        skips::skip("the accessibility rules: npm is not installed (Debian: apt-get install npm)")?;
        return Ok(None);
    }
    let requirements = paths::root().join("requirements");
    let stamp = fs::read(requirements.join("package-lock.json"))?;
    let stamp_file = environment.join("axe-stamp");
    let script = environment.join("node_modules/axe-core/axe.min.js");
    if !(script.exists() && fs::read(&stamp_file).is_ok_and(|s| s == stamp)) {
        println!("  installing axe-core beside it");
        for file in ["package.json", "package-lock.json"] {
            files::write(&environment.join(file), fs::read(requirements.join(file))?)?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(environment);
        // Else it would leave its downloads and logs in the user's home.
        npm.env("npm_config_cache", environment.join("npm-cache"));
        run::quiet(&mut npm)?;
        files::write(&stamp_file, stamp)?;
    }
    Ok(Some(script))
}

/// What a person sees and types: the quiz forms as a page, then notebooks in JupyterLab.
fn browser(ready: &Ready) -> Result<()> {
    if run::which("chromium").is_none() {
        return skips::skip(
            "quiz forms and notebooks in a browser: Chromium is not installed (Debian: apt-get install chromium chromium-driver)",
        );
    }
    let driver = environment(".venv-browser", "browser.lock")?;
    let axe = axe(&paths::root().join(".venv-browser"))?;
    let forms = "test --locked -p nchw --features program --test quiz_form --quiet -- --ignored --nocapture";
    let forms: Vec<&str> = forms.split(' ').collect();
    let mut cargo = with_libtorch(ready, &forms)?;
    run::run(cargo.env("NCHW_BROWSER_PYTHON", &driver).envs(axe.iter().map(|axe| ("NCHW_AXE", axe))))?;
    visit(&driver, "browser.py", &["02-convolution"])?;
    let axe: Vec<&OsStr> = axe.iter().flat_map(|axe| [OsStr::new("--axe"), axe.as_os_str()]).collect();
    visit(&driver, "test_form_in_lab.py", &axe)
}

/// Opens a notebook in JupyterLab and uses it as a person would.
fn visit(driver: &Path, script: &str, arguments: &[impl AsRef<OsStr>]) -> Result<()> {
    let mut python = Command::new(driver);
    python.arg(paths::script(script)).args(arguments);
    python.arg("--jupyter").arg(paths::venv("python"));
    libtorch::conda_jupyterlab(&mut python);
    run::run(python.current_dir(paths::root()))
}

/// `cargo xtask bench kernel`.
pub fn bench_kernel(rounds: u32) -> Result<()> {
    let peer = environment(".venv-bench", "bench.lock")?;
    let mut python = Command::new(paths::venv("python"));
    python.arg(paths::script("bench_kernel.py")).arg("--python").arg(peer);
    python.arg("--rounds").arg(rounds.to_string());
    run::run(python.current_dir(paths::root().join("notebooks")))
}

/// `cargo xtask bench day`.
pub fn bench_day(rounds: u32) -> Result<()> {
    python(&["bench_day.py", "--rounds", &rounds.to_string()])
}

/// `cargo xtask bench train`.
pub fn bench_train(rounds: u32, device: &str) -> Result<()> {
    let peer = environment(".venv-bench", "bench.lock")?;
    let mut python = Command::new(paths::venv("python"));
    python.arg(paths::script("bench_train.py")).arg("--nchw").arg(paths::venv("nchw"));
    python.arg("--python").arg(peer).arg("--rounds").arg(rounds.to_string()).arg("--device").arg(device);
    run::run(&mut python)
}

/// `cargo xtask bench class`.
pub fn bench_class(kernels: u32) -> Result<()> {
    let mut python = Command::new(paths::venv("python"));
    python.arg(paths::script("bench_class.py")).arg("--kernels").arg(kernels.to_string());
    run::run(python.current_dir(paths::root().join("notebooks")))
}

/// `cargo xtask grading`.
pub fn grading() -> Result<()> {
    let mut python = Command::new(environment(".venv-grading", "grading.lock")?);
    python.arg(paths::script("grading.py")).arg("--root").arg(paths::root());
    run::run(&mut python)
}
