//! `cargo xtask doctor`: one line for each part of the machine, and for what is wrong, the command that
//! fixes it.

use crate::setup::machine::Machine;
use crate::setup::source::{self, Request, Source};
use crate::setup::step::Outside;
use crate::setup::steps::evcxr;
use crate::system::tools::{self, Tools};
use crate::system::{files, run, wsl};
use crate::{kernel::fresh, paths, setup};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use std::{fs, process::Command};

const SETUP: &str = "cargo xtask setup";

/// The state of one part.
enum Line {
    Good(String),
    /// The course works without it.
    Note(String),
    /// What is wrong, and what to type.
    Bad(String, String),
}

fn good(text: impl Into<String>) -> Line {
    Line::Good(text.into())
}

fn note(text: impl Into<String>) -> Line {
    Line::Note(text.into())
}

fn bad(text: impl Into<String>, fix: impl Into<String>) -> Line {
    Line::Bad(text.into(), fix.into())
}

/// Prints the lines.
///
/// # Errors
/// If a part that the course needs is missing or broken.
pub fn doctor() -> Result<()> {
    let mut broken = 0;
    let mut print = |part: &str, line: Line| match line {
        Line::Good(text) => println!("  ok    {part:<12}{text}"),
        Line::Note(text) => println!("  --    {part:<12}{text}"),
        Line::Bad(text, fix) => {
            broken += 1;
            println!("  FAIL  {part:<12}{text}\n        {:<12}to fix it: {fix}", "");
        }
    };
    let machine = Machine::find(Request::Any);
    let source = source::choose(Request::Any);
    match &machine {
        Ok(Machine { tools, .. }) => {
            print("Rust", good(format!("{} ({})", tools.rust, tools.host)));
            print("Rust source", rust_source(tools));
            print("Python", good(format!("{} ({})", tools.python_version, tools.python.display())));
            print("C++", good(tools.cxx.display().to_string()));
        }
        Err(error) => print("tools", bad(error.to_string(), "install what the lines above name")),
    }
    print("JupyterLab", jupyter());
    print("evcxr", evcxr());
    print("tch", tch());
    print("libtorch", libtorch(&source));
    let built = fresh::is_fresh(&paths::kernel());
    let probe = match built {
        true => probe(),
        false => Err(anyhow!("the notebooks' dependencies are not compiled, or the crate has changed since")),
    };
    let found = probe.as_ref().ok();
    print("GPU", gpu(&source, found.map(|p| p.device.as_str())));
    print(
        "kernel",
        match &probe {
            Ok(p) => good(format!("starts in {:.1} s, a cell with a tensor took {:.2} s", p.start, p.cell)),
            // Set-up alone would not compile the kernel again.
            Err(error) if built => bad(format!("{error:#}"), format!("rm -r .nchw/kernel && {SETUP}")),
            Err(error) => bad(error.to_string(), SETUP),
        },
    );
    print("notebooks", notebooks());
    print("CIFAR-10", cifar(found.map(|p| p.data.as_str())));
    print("disk", disk());
    for remark in wsl::remarks() {
        print("WSL", note(remark));
    }
    for remark in settings(|name| paths::variable(name).is_some()) {
        print("settings", note(remark));
    }
    // What set-up changes outside of this folder. rust-src has its own line.
    let steps = machine.as_ref().ok().map(setup::all_steps).transpose()?.unwrap_or_default();
    let steps = steps.iter().filter(|step| step.name != "rust-source");
    for Outside(folder, what) in steps.flat_map(|step| &step.outside) {
        print("outside", note(format!("{}: {what}", folder.display())));
    }
    if broken > 0 {
        bail!("of the parts above, {broken} must be fixed");
    }
    Ok(())
}

/// What a kernel reported about itself.
struct Probe {
    /// Seconds until the kernel answered.
    start: f64,
    /// Seconds for a cell with a tensor.
    cell: f64,
    /// What libtorch computes on: `Cpu` or `Cuda(0)`.
    device: String,
    /// The output of a cell that asks for CIFAR-10.
    data: String,
}

/// Starts a kernel as JupyterLab does, and runs cells in it.
fn probe() -> Result<Probe> {
    let output = run::quiet(&mut run::script("kernel_probe"))?;
    let read = || -> Option<Probe> {
        let report: Value = output.lines().find_map(|line| serde_json::from_str(line).ok())?;
        let (start, cell) = (report["start"].as_f64()?, report["cell"].as_f64()?);
        let (device, data) = (report["device"].as_str()?.into(), report["data"].as_str()?.into());
        Some(Probe { start, cell, device, data })
    };
    read().with_context(|| format!("the probe of the kernel printed: {output}"))
}

fn jupyter() -> Line {
    let code = "import jupyterlab, nbclient, jupytext; print(f'{jupyterlab.__version__}, nbclient {nbclient.__version__}, jupytext {jupytext.__version__}')";
    match run::quiet(Command::new(paths::venv_program("python")).args(["-c", code])) {
        Ok(versions) => good(versions.trim()),
        Err(_) => bad("not in .venv", SETUP),
    }
}

fn evcxr() -> Line {
    match evcxr::program().map(|program| (evcxr::version(&program), program)) {
        Ok((Some(version), program)) if version == paths::EVCXR => {
            good(format!("{version} ({})", program.display()))
        }
        Ok((version, program)) => {
            let version = version.as_deref().unwrap_or("an unknown version");
            let text = format!("{} has {version}, {} is needed", program.display(), paths::EVCXR);
            bad(text, format!("rm .nchw/steps/evcxr && {SETUP}"))
        }
        Err(_) => bad("not set up", SETUP),
    }
}

fn tch() -> Line {
    match tools::locked_version("tch") {
        Ok(version) => good(version),
        Err(_) => bad("not in Cargo.lock", "git stash push Cargo.lock"),
    }
}

fn libtorch(source: &Source) -> Line {
    match source::version(&source::folder().join("include")) {
        Ok(version) if version == paths::TORCH => good(format!("{version}, from {source}")),
        Ok(version) => bad(format!("{version} from {source}, {} is needed", paths::TORCH), SETUP),
        Err(_) => bad(format!("not set up (set-up would take {source})"), SETUP),
    }
}

fn gpu(source: &Source, device: Option<&str>) -> Line {
    if !source::has_nvidia_driver() {
        return note("no NVIDIA driver; everything runs on the CPU");
    }
    let driver = fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
    let driver = driver.lines().next().unwrap_or("an NVIDIA driver");
    match device {
        Some(device) if device.starts_with("Cuda") => good(format!("tch finds CUDA; {driver}")),
        _ if *source == Source::WheelCpu => {
            bad(format!("libtorch is for the CPU, but there is {driver}"), "cargo xtask setup --cuda")
        }
        _ => bad(format!("tch finds no CUDA, but there is {driver}"), "check the driver with `nvidia-smi`"),
    }
}

fn rust_source(tools: &Tools) -> Line {
    match tools.full_source() {
        source if source.is_dir() => good(source.display().to_string()),
        _ => note(format!("missing: set-up adds it with `{}`", tools.add_source())),
    }
}

/// From the output of a cell that asks for CIFAR-10: only the library knows where to look for it.
fn cifar(output: Option<&str>) -> Line {
    let Some(output) = output else {
        return note("unknown, because the kernel does not run");
    };
    let output = output.trim();
    match output.lines().last() {
        Some("data set: CIFAR-10") => good("found (`nchw data where` prints the folder)"),
        Some(last) if last.starts_with("data set: ") => {
            note(indented(output.strip_suffix(last).unwrap_or(output).trim()))
        }
        _ => bad(
            indented(output.strip_prefix("error: ").unwrap_or(output)),
            "`nchw data where` lists the folders in which it is looked for",
        ),
    }
}

/// What the course does with the user's own settings. Only their names: an address may contain a password.
fn settings(is_set: impl Fn(&str) -> bool) -> Vec<String> {
    let ignored = "set-up ignores this, so that all packages are compiled in the same way";
    let kinds: [(&[&str], &str); 5] = [
        (&paths::CARGO_VARIABLES, ignored),
        (&["CARGO_TARGET_DIR"], "only `cargo xtask` itself is compiled there; the rest is in .nchw"),
        (&["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"], "used by set-up, not for cells"),
        (
            &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "CARGO_HTTP_PROXY", "PIP_PROXY"],
            "used for downloads; programs on this machine need no proxy (NO_PROXY)",
        ),
        (
            &["SSL_CERT_FILE", "CARGO_HTTP_CAINFO", "PIP_CERT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"],
            "used for downloads",
        ),
    ];
    let lines = kinds.into_iter().filter_map(|(names, what)| {
        let set: Vec<&str> = names.iter().copied().filter(|name| is_set(name)).collect();
        (!set.is_empty()).then(|| format!("{}: {what}", set.join(", ")))
    });
    lines.collect()
}

/// Further lines begin below the first.
fn indented(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(&format!("\n{:20}", ""))
}

fn notebooks() -> Line {
    match paths::my_notebooks() {
        folder if !folder.exists() => note("`cargo xtask lab` makes your copies in my-notebooks"),
        folder if files::is_writable(&folder) => good("can be written"),
        folder => bad(
            format!("{} cannot be written: changes are not saved", folder.display()),
            "`ls -ld my-notebooks` shows its owner; use `chmod -R u+w my-notebooks`, or clone the course again",
        ),
    }
}

fn disk() -> Line {
    match files::free_gb() {
        Ok(free) if free >= 2.0 => good(format!("{free:.0} GB free")),
        Ok(free) => bad(format!("{free:.1} GB free"), "free some space: the course needs 2 GB"),
        Err(error) => note(format!("the free space is unknown: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_s_message_about_cifar10_is_shown() {
        assert!(matches!(cifar(Some("data set: CIFAR-10\n")), Line::Good(_)));
        let stand_in = "CIFAR-10 was not found: Shapes-10 is used instead.\nTo get it: …\ndata set: Shapes-10 (stand-in)";
        match cifar(Some(stand_in)) {
            Line::Note(text) => {
                assert!(text.contains("was not found") && !text.contains("data set:"), "{text}")
            }
            _ => panic!("the course works with the stand-in"),
        }
        match cifar(Some("error: NCHW_DATA: expected the six files")) {
            Line::Bad(text, fix) => {
                assert!(text.starts_with("NCHW_DATA:") && fix.contains("nchw data where"))
            }
            _ => panic!("a notebook that asks for the set fails"),
        }
        assert!(matches!(cifar(None), Line::Note(_)));
    }

    #[test]
    fn the_user_s_settings_are_named_with_what_becomes_of_them() {
        assert_eq!(settings(|_| false), Vec::<String>::new());
        let lines = settings(|name| ["RUSTFLAGS", "CARGO_BUILD_TARGET", "HTTPS_PROXY"].contains(&name));
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("RUSTFLAGS, CARGO_BUILD_TARGET: set-up ignores"), "{lines:?}");
        assert!(lines[1].starts_with("HTTPS_PROXY: used for downloads"), "{lines:?}");
    }
}
