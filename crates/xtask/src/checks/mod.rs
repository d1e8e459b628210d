//! `cargo xtask test`: every check, those that find failures soonest first.

pub mod architecture;
pub mod browser;
pub mod platforms;
pub mod skips;

use crate::commands::{deny, scripts, web};
use crate::setup::source::{self, Request, Source};
use crate::setup::{
    self,
    machine::Machine,
    steps::{cuda_graph, libtorch},
};
use crate::system::{environment, files, platform, run};
use crate::{checks::browser::Browser, paths};
use anyhow::{Context, Result, bail};
use std::{env, ffi::OsStr, fs, process::Command, time::Instant};

/// Runs all checks. If `strict`, they may skip only what needs a GPU.
pub fn test(strict: bool) -> Result<()> {
    let start = Instant::now();
    let source = setup::setup(Request::Any)?;
    skips::begin()?;
    let cargo = |line: &str| run::run(&mut with_libtorch(&source, line)?);
    let lints = "clippy --locked --workspace --all-targets -- -D warnings";
    // Every test is selected from the whole workspace: with other packages, cargo would choose other
    // features for the dependencies and compile them again.
    let tests = "test --locked --workspace --quiet";
    let checks: [(&str, &dyn Fn() -> Result<()>); 16] = [
        ("format", &|| cargo("fmt --all --check")),
        ("lints", &|| cargo(lints)),
        ("tests", &|| cargo(tests).and_then(|()| list_ignored_tests())),
        ("fuzz", &|| fuzz(&source)),
        ("command", &command),
        ("architecture", &|| architecture::check().and_then(|()| architecture::packages_are_compiled_once())),
        ("wasm", &web::check),
        ("platforms", &platforms::check),
        ("dependencies", &|| deny::deny(false)),
        ("hosting", &hosting),
        // The longest first, so that the others run beside them.
        ("scripts", &|| {
            unit_tests(
                "tests.test_kernel tests.test_notebooks tests.test_scripts tests.test_security tests.test_day \
                 tests.test_environment tests.test_doctor tests.test_spare tests.test_hosting",
            )
        }),
        ("notebooks", &|| scripts::notebooks(true, &[])),
        ("mistakes", &|| scripts::mistakes(true)),
        ("book", &browser::book),
        ("figures", &browser::play),
        ("browser", &|| notebooks_in_a_browser(&source)),
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
        bail!("failed: {}", failed.join(", "));
    }
    skipped
}

/// A command line of cargo that builds and runs with the course's libtorch.
fn with_libtorch(source: &Source, line: &str) -> Result<Command> {
    let (command, options) = line.split_once(' ').context("cargo needs a command and options")?;
    let mut cargo = Command::new("cargo");
    cargo.arg(command).current_dir(paths::root());
    // These settings replace torch-sys's build script. Without them, as in a plain `cargo test`, the
    // script compiles the C++ code.
    if command != "fmt" {
        cargo.arg("--config").arg(paths::cargo_config()).arg("--target-dir").arg(paths::target());
    }
    paths::as_in_any_shell(&mut cargo);
    cargo.args(options.split(' ')).env("LIBTORCH", platform::HERE.libtorch_for_cargo(&source::folder()));
    cargo.env("OMP_WAIT_POLICY", "passive").env(skips::VARIABLE, skips::list());
    let variable = platform::HERE.loader_variable();
    cargo.env(variable, paths::prepend(variable, &source.library_folders()?)?);
    Ok(cargo)
}

/// Lists the tests that `cargo test` skips, except the one that the check "browser" runs.
fn list_ignored_tests() -> Result<()> {
    for path in files::files_in(&paths::root().join("crates"))? {
        let listed = path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests/quiz_form.rs");
        if listed && fs::read_to_string(&path)?.lines().any(|line| line.trim_start().starts_with("#[ignore"))
        {
            skips::skip(&format!("the tests with #[ignore] in {}", path.display()))?;
        }
    }
    Ok(())
}

/// Random input for the parsers, for half a minute each or for `NCHW_FUZZ_SECONDS`.
fn fuzz(source: &Source) -> Result<()> {
    let line = "test --locked --workspace --test fuzz --quiet -- --nocapture";
    let mut cargo = with_libtorch(source, line)?;
    if env::var_os("NCHW_FUZZ_SECONDS").is_none() {
        cargo.env("NCHW_FUZZ_SECONDS", "20");
    }
    run::run(&mut cargo)
}

/// The command `nchw`, as in a shell.
fn command() -> Result<()> {
    let mut nchw = Command::new(paths::venv_program("nchw"));
    let table = run::quiet(nchw.args(["shapes", "3x7x7", "conv 10 3x3; conv 20 3x3"]).current_dir("/"))?;
    if !table.contains("20x10x3x3") {
        bail!("`nchw shapes \"3x7x7\" \"conv 10 3x3; conv 20 3x3\"` printed:\n{table}");
    }
    // A plain `cargo test` runs without a path for the loader.
    let mut python = Command::new(paths::venv_program("python"));
    python.args(["-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])"]).arg(libtorch::library());
    run::quiet(python.env_remove(platform::HERE.loader_variable()))
        .context("libtorch does not find all libraries that it needs")?;
    Ok(())
}

/// Unit tests in Python, of the kernel and of the scripts.
fn unit_tests(modules: &str) -> Result<()> {
    let mut python = run::script("unit_tests");
    let publisher = environment::python_of(".venv-publish", "publish.lock")?;
    python.env(skips::VARIABLE, skips::list()).env("NCHW_PUBLISH_PYTHON", publisher);
    run::run(python.args(modules.split(' ')))
}

/// Checks of files that only other machines run: on Binder, in Docker, on GitHub, with a GPU.
fn hosting() -> Result<()> {
    cuda_graph::check(&Machine::find(Request::Any)?)?;
    let python = environment::python_of(".venv-lint", "lint.lock")?;
    let lines = [
        "check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml .github/workflows/book.yml",
        "check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml",
        // Workflows have only the rights that they need, and run actions whose code cannot change.
        "zizmor --offline --no-progress --quiet .github",
        "shellcheck binder/postBuild binder/start",
        "hadolint --failure-threshold warning Dockerfile .devcontainer/Dockerfile",
    ];
    for line in lines {
        let (name, options) = line.split_once(' ').context("a line needs a tool and options")?;
        let packaged = Some(python.with_file_name(name)).filter(|tool| tool.is_file());
        let Some(tool) = packaged.or_else(|| which::which(name).ok()) else {
            skips::skip(&format!(
                "{name}: there is no package for this machine (Debian: apt-get install {name})"
            ))?;
            continue;
        };
        run::run(Command::new(tool).args(options.split(' ')).current_dir(paths::root()))?;
    }
    devcontainer()
}

/// Lets the program that VS Code uses read `.devcontainer/devcontainer.json`. (It accepts unknown properties;
/// `tests/test_hosting.py` does not.)
fn devcontainer() -> Result<()> {
    if which::which("npm").is_err() {
        return skips::skip("devcontainer.json: npm is not installed (Debian: apt-get install npm)");
    }
    let modules = environment::node_modules(".venv-lint")?;
    let mut node = Command::new("node");
    node.arg(modules.join("@devcontainers/cli/devcontainer.js"))
        .args(["read-configuration", "--workspace-folder"]);
    // It asks Docker for a running container; this answers that there is none.
    let read = run::quiet(node.arg(paths::root()).args(["--docker-path", "true"]))?;
    if !read.contains("\"updateContentCommand\":\"cargo xtask setup") {
        bail!("expected that the container sets the course up, read this configuration:\n{read}");
    }
    println!("  devcontainer.json: read");
    Ok(())
}

/// The quiz forms as a page, then notebooks in JupyterLab.
fn notebooks_in_a_browser(source: &Source) -> Result<()> {
    let Some(browser) = Browser::find("quiz forms and notebooks in a browser")? else { return Ok(()) };
    let axe = browser.axe()?;
    let forms = "test --locked --workspace --test quiz_form --quiet -- --ignored --nocapture";
    let mut cargo = with_libtorch(source, forms)?;
    cargo.env("NCHW_BROWSER_PYTHON", &browser.python).envs(axe.iter().map(|axe| ("NCHW_AXE", axe)));
    run::run(&mut cargo)?;
    browser.visit("browser.figures", &["02-convolution"])?;
    let axe: Vec<&OsStr> = axe.iter().flat_map(|axe| ["--axe".as_ref(), axe.as_os_str()]).collect();
    browser.visit("browser.forms", &axe)
}
