//! What is on this machine: a line a part, and for what is wrong the command
//! that mends it.

use crate::{
    kernel,
    libtorch::{self, Source, Wish},
    outside, paths, run,
    tools::{self, Tools},
};
use anyhow::{Result, bail};
use std::{fs, process::Command};

/// One part's state.
enum Line {
    Good(String),
    /// Works without it.
    Note(String),
    /// What is wrong, and what to type.
    Bad(String, String),
}

/// Prints a line per part.
///
/// # Errors
/// When a part that the course needs is missing or broken.
pub fn doctor() -> Result<()> {
    let mut broken = 0;
    let mut print = |part: &str, line: Line| match line {
        Line::Good(text) => println!("  ok    {part:<12}{text}"),
        Line::Note(text) => println!("  --    {part:<12}{text}"),
        Line::Bad(text, mend) => {
            broken += 1;
            println!("  FAIL  {part:<12}{text}\n        {:<12}mend it: {mend}", "");
        }
    };
    let setup = "cargo xtask setup".to_owned();
    let source = libtorch::choose(Wish::Any);
    let found = tools::find();
    match &found {
        Ok(found) => {
            print("Rust", Line::Good(format!("{} ({})", found.rust, found.host)));
            print("Rust source", rust_source(found));
            print("Python", Line::Good(format!("{} ({})", found.python_version, found.python.display())));
            print("C++", Line::Good(found.cxx.display().to_string()));
        }
        Err(error) => {
            print("tools", Line::Bad(error.to_string(), "install what the lines above name".into()))
        }
    }
    print("JupyterLab", jupyter(&setup));
    print("evcxr", evcxr(&setup));
    print("tch", tch());
    print("libtorch", torch(&source, &setup));
    let built = kernel::is_built();
    let probe = if built {
        kernel::probe()
    } else {
        Err(anyhow::anyhow!("the notebooks' dependencies are not compiled, or the crate has changed since"))
    };
    print("GPU", gpu(&source, probe.as_ref().ok().map(|p| p.device.as_str())));
    print(
        "kernel",
        match &probe {
            Ok(p) => {
                Line::Good(format!("starts in {:.1} s, a cell with a tensor took {:.2} s", p.start, p.cell))
            }
            // What is built stays, unless it is thrown away.
            Err(error) if built => Line::Bad(format!("{error:#}"), format!("rm -r .nchw/kernel && {setup}")),
            Err(error) => Line::Bad(error.to_string(), setup),
        },
    );
    print("notebooks", notebooks());
    print("CIFAR-10", cifar(probe.as_ref().ok().map(|p| p.data.as_str())));
    print("disk", disk());
    // What set-up changes elsewhere than in this folder; rust-src has its own line.
    let places = found.as_ref().ok().map(outside::places).transpose()?.unwrap_or_default();
    for place in places.iter().filter(|place| place.step != "rust-source") {
        print("outside", Line::Note(format!("{}: {}", place.folder.display(), place.what)));
    }
    if broken > 0 {
        bail!(
            "{broken} part{} above need{} mending",
            if broken == 1 { "" } else { "s" },
            if broken == 1 { "s" } else { "" }
        );
    }
    Ok(())
}

fn jupyter(setup: &str) -> Line {
    let code = "import jupyterlab, nbclient, jupytext; print(jupyterlab.__version__, nbclient.__version__, jupytext.__version__)";
    match run::quiet(Command::new(paths::venv("python")).args(["-c", code])) {
        Ok(versions) => {
            let names = ["", "nbclient ", "jupytext "];
            let all: Vec<String> = versions
                .split_whitespace()
                .zip(names)
                .map(|(version, name)| format!("{name}{version}"))
                .collect();
            Line::Good(all.join(", "))
        }
        Err(_) => Line::Bad("not in .venv".into(), setup.into()),
    }
}

fn evcxr(setup: &str) -> Line {
    match kernel::evcxr().map(|program| (kernel::evcxr_version(&program), program)) {
        Ok((Some(version), program)) if version == paths::EVCXR => {
            Line::Good(format!("{version} ({})", program.display()))
        }
        Ok((version, program)) => Line::Bad(
            format!(
                "{} is {}, {} is needed",
                program.display(),
                version.as_deref().unwrap_or("of an unknown version"),
                paths::EVCXR
            ),
            format!("rm .nchw/steps/evcxr && {setup}"),
        ),
        Err(_) => Line::Bad("not set up".into(), setup.into()),
    }
}

fn tch() -> Line {
    let lock = fs::read_to_string(paths::root().join("Cargo.lock")).unwrap_or_default();
    let version = lock.lines().skip_while(|line| *line != "name = \"tch\"").nth(1);
    match version.and_then(|line| line.split('"').nth(1)) {
        Some(version) => Line::Good(version.to_owned()),
        None => Line::Bad("not in Cargo.lock".into(), "git stash push Cargo.lock".into()),
    }
}

fn torch(source: &Source, setup: &str) -> Line {
    match libtorch::version(&libtorch::folder().join("include")) {
        Ok(version) if version == paths::TORCH => Line::Good(format!("{version}, from {source}")),
        Ok(version) => {
            Line::Bad(format!("{version} from {source}, {} is needed", paths::TORCH), setup.into())
        }
        Err(_) => Line::Bad(format!("not set up (would be {source})"), setup.into()),
    }
}

fn gpu(source: &Source, device: Option<&str>) -> Line {
    if !libtorch::has_nvidia_driver() {
        return Line::Note("no NVIDIA driver; everything runs on the CPU".into());
    }
    let driver = fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
    let driver = driver.lines().next().unwrap_or("an NVIDIA driver");
    match device {
        Some(device) if device.starts_with("Cuda") => Line::Good(format!("tch sees CUDA; {driver}")),
        _ if *source == Source::WheelCpu => Line::Bad(
            format!("a driver, but a libtorch for the CPU; {driver}"),
            "cargo xtask setup --cuda".into(),
        ),
        _ => Line::Bad(
            format!("a driver, but tch sees no CUDA; {driver}"),
            "nvidia-smi shows whether the driver works".into(),
        ),
    }
}

fn rust_source(tools: &Tools) -> Line {
    match outside::full_source(&tools.sysroot) {
        source if source.is_dir() => Line::Good(source.display().to_string()),
        _ => Line::Note(format!(
            "not there: set-up adds it to your toolchain, by `{}`",
            outside::add_source(tools)
        )),
    }
}

/// What a cell in a notebook that asks for CIFAR-10 printed: where the set is looked for, the library alone knows.
fn cifar(said: Option<&str>) -> Line {
    let Some(said) = said else {
        return Line::Note("not known: the kernel, which would be asked, does not run".into());
    };
    let said = said.trim();
    match said.lines().last() {
        Some("data set: CIFAR-10") => Line::Good("found (`nchw data where` says in which folder)".into()),
        Some(last) if last.starts_with("data set: ") => {
            let why = said.strip_suffix(last).unwrap_or(said).trim();
            Line::Note(indented(why))
        }
        _ => Line::Bad(
            indented(said.strip_prefix("error: ").unwrap_or(said)),
            "`nchw data where` lists every folder where it is looked for".into(),
        ),
    }
}

/// Further lines stand below the first.
fn indented(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(&format!("\n{:20}", ""))
}

fn notebooks() -> Line {
    let folder = paths::root().join("notebooks");
    if tools::is_writable(&folder) {
        return Line::Good("can be written".into());
    }
    let text = format!("{} cannot be written: what is changed there is not kept", folder.display());
    Line::Bad(
        text,
        format!("`ls -ld {}` says whose it is; `chmod -R u+w` it, or clone anew", folder.display()),
    )
}

fn disk() -> Line {
    match tools::free_gb() {
        Ok(free) if free >= 2.0 => Line::Good(format!("{free:.0} GB free")),
        Ok(free) => {
            Line::Bad(format!("{free:.1} GB free"), "free some space: 2 GB keep the course working".into())
        }
        Err(error) => Line::Note(format!("free space is not known: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_says_of_cifar10_is_passed_on() {
        assert!(matches!(cifar(Some("data set: CIFAR-10\n")), Line::Good(_)));
        let stand_in =
            "CIFAR-10 is not here: Shapes-10 stands in.\nFor the real one: …\ndata set: Shapes-10 (stand-in)";
        match cifar(Some(stand_in)) {
            Line::Note(text) => {
                assert!(text.contains("is not here") && !text.contains("data set:"), "{text}")
            }
            _ => panic!("the course works with the stand-in"),
        }
        match cifar(Some("error: NCHW_DATA: expected the six files")) {
            Line::Bad(text, mend) => {
                assert!(text.starts_with("NCHW_DATA:") && mend.contains("nchw data where"))
            }
            _ => panic!("a notebook that asks for the set fails"),
        }
        assert!(matches!(cifar(None), Line::Note(_)));
    }
}
