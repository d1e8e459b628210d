//! Compiled results that all clones of the course share: the second clone copies what the first one compiled.
//!
//! A result is found by a hash of everything that it depends on, so an old one is never used. It is stored in one
//! step, so it is complete or absent.

use crate::system::{files, tools::Tools};
use crate::{paths, setup::source::Source};
use anyhow::Result;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The results in the cache are in folders with these names and the beginning of the hash.
pub const PREFIX: &str = "compiled-";
/// The file in which the command `nchw` notes when the program was built.
pub const BUILT: &str = "nchw-built";
/// How many results of one kind are kept: clones of two versions of the course can alternate.
const KEPT: usize = 2;

/// A place in the cache for one result.
pub struct Shared {
    cache: PathBuf,
    kind: &'static str,
    hash: String,
}

impl Shared {
    /// The place of a result that depends on these files of the course and these values.
    pub fn of(kind: &'static str, inputs: &[PathBuf], values: &[String]) -> Result<Shared> {
        let mut hash = Sha256::new();
        for value in values {
            hash.update(value);
            hash.update([0]);
        }
        let root = paths::root();
        for input in inputs.iter().map(|input| root.join(input)).filter(|input| input.exists()) {
            for path in files::files_in(&input)? {
                hash.update(path.strip_prefix(&root).unwrap_or(&path).as_os_str().as_encoded_bytes());
                hash.update(Sha256::digest(fs::read(path)?));
            }
        }
        Ok(Shared { cache: paths::cache()?, kind, hash: format!("{:x}", hash.finalize())[..16].to_owned() })
    }

    fn folder(&self) -> PathBuf {
        self.cache.join(format!("{PREFIX}{}-{}", self.kind, self.hash))
    }

    /// Copies the result into a folder that does not exist yet, if there is one that can be read. Returns whether
    /// there was.
    pub fn copy_to(&self, folder: &Path) -> bool {
        let result = self.folder().join("result");
        if !result.is_dir()
            || !files::is_ours(&self.folder(), &[])
            || copy_complete(&result, folder, |_| true).is_err()
        {
            return false;
        }
        println!("      it was compiled before: copied from {}", self.folder().display());
        true
    }

    /// What distinguishes it from other results.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Keeps the files of a folder for other clones; `wanted` says which. If the cache has no room or may not be
    /// written, nothing is kept: this clone needs nothing from it.
    pub fn keep(&self, folder: &Path, wanted: impl Fn(&Path) -> bool) {
        if !self.folder().exists() && self.store(folder, wanted).is_ok() {
            self.remove_older();
        }
    }

    fn store(&self, folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<()> {
        fs::create_dir_all(&self.cache)?;
        let temporary = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&self.cache)?;
        // So that `cargo xtask clean` can remove it if this program is killed now.
        files::write(&temporary.path().join(files::MARK), "")?;
        let complete = temporary.path().join("complete");
        files::make(&complete)?;
        files::copy(folder, &complete.join("result"), wanted)?;
        // Another clone may have stored the same in the meantime.
        Ok(fs::rename(complete, self.folder())?)
    }

    fn remove_older(&self) {
        let start = format!("{PREFIX}{}-", self.kind);
        let entries = fs::read_dir(&self.cache).into_iter().flatten().flatten();
        let mut others: Vec<_> = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&start))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        others.sort();
        for (_, path) in others.iter().rev().skip(KEPT) {
            let _ = files::remove(path, &[]);
        }
    }
}

/// Copies a folder to a place where none is yet. An interrupted copy does not look like a complete one.
///
/// Never into a folder with other results: two clones may have compiled a package to files of the same name that do not
/// fit together.
pub fn copy_complete(from: &Path, to: &Path, wanted: impl Fn(&Path) -> bool) -> Result<()> {
    let part = to.with_extension("part");
    let _ = fs::remove_dir_all(&part);
    files::copy(from, &part, wanted)?;
    Ok(fs::rename(part, to)?)
}

/// Whether a file or folder in a build folder can serve another folder: a cell cannot, and not what the compiler keeps
/// for the next compilation of a crate.
pub fn is_compiled(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !["ctx", "incremental", BUILT].iter().any(|part| name.contains(part))
}

/// Whether it can serve clones whose own crates are different.
pub fn is_of_packages(path: &Path) -> bool {
    is_compiled(path) && !path.file_name().unwrap_or_default().to_string_lossy().contains("nchw")
}

/// Tells cargo that what another clone compiled is not older than this clone's sources, which have the times of their
/// checkout. They have the same content, or the result would have another hash.
pub fn date(build: &Path, time: SystemTime) -> Result<()> {
    for path in files::files_in(build)? {
        let name = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let of_ours = name(path.parent().and_then(Path::file_name)).starts_with("nchw");
        // The lists of files that a crate was compiled from: their times are what cargo compares.
        if of_ours && name(path.file_name()).starts_with("dep-") {
            // Not in place: it may be a link to the file in the cache.
            files::write(&path, fs::read(&path)?)?;
            File::options().write(true).open(&path)?.set_modified(time)?;
        }
    }
    Ok(())
}

/// What compiled results depend on besides files of the course: Rust, and the kind of libtorch. The path of a wheel
/// in `.venv` differs from clone to clone, and its content does not.
pub fn values(tools: &Tools, source: &Source) -> Result<Vec<String>> {
    let libtorch = match source {
        Source::WheelCpu | Source::WheelCuda => paths::TORCH.to_owned(),
        Source::Variable(_) | Source::Conda(_) => source.identity()?,
    };
    Ok(vec![tools.rust.clone(), tools.sysroot.display().to_string(), tools.host.clone(), libtorch])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cell::package;
    use std::process::Command;

    fn shared(cache: &Path, hash: &str) -> Shared {
        Shared { cache: cache.to_owned(), kind: "test", hash: hash.to_owned() }
    }

    #[test]
    fn what_one_clone_keeps_another_one_gets() {
        let temp = tempfile::tempdir().unwrap();
        let (cache, build) = (temp.path().join("cache"), temp.path().join("build"));
        fs::create_dir_all(build.join("deps")).unwrap();
        fs::write(build.join("deps/libimage.rlib"), vec![7; 100_000]).unwrap();
        fs::write(build.join("deps/libnchw.so"), "this clone's own").unwrap();
        let place = shared(&cache, "one");
        assert!(!place.copy_to(&temp.path().join("copy")), "nothing is there yet");
        place.keep(&build, |path| !path.ends_with("libnchw.so"));

        let copy = temp.path().join("copy");
        assert!(place.copy_to(&copy));
        let time =
            |folder: &Path| fs::metadata(folder.join("deps/libimage.rlib")).unwrap().modified().unwrap();
        assert_eq!(time(&copy), time(&build), "cargo compares times");
        assert!(!copy.join("deps/libnchw.so").exists());
        assert!(!shared(&cache, "two").copy_to(&temp.path().join("other")), "depends on something else");
    }

    #[test]
    fn only_the_newest_results_stay_and_only_our_folders_are_removed() {
        let temp = tempfile::tempdir().unwrap();
        let (cache, build) = (temp.path().join("cache"), temp.path().join("build"));
        fs::create_dir_all(&build).unwrap();
        fs::create_dir_all(cache.join("compiled-test-mine")).unwrap();
        fs::write(cache.join("compiled-test-mine/photo.png"), "a user's").unwrap();
        for hash in ["a", "b", "c", "d"] {
            shared(&cache, hash).keep(&build, |_| true);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let mut names: Vec<_> = fs::read_dir(&cache)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["compiled-test-c", "compiled-test-d", "compiled-test-mine"]);
    }

    /// A clone with one crate.
    fn clone(folder: &Path, code: &str) {
        let crate_folder = folder.join("crates/nchw");
        fs::create_dir_all(crate_folder.join("src")).unwrap();
        let settings = "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n\n[workspace.package]\nedition = \"2024\"\n";
        fs::write(folder.join("Cargo.toml"), format!("{settings}\n[profile.dev]\ndebug = false\n")).unwrap();
        let manifest = "[package]\nname = \"nchw\"\nedition.workspace = true\n";
        fs::write(crate_folder.join("Cargo.toml"), manifest).unwrap();
        fs::write(crate_folder.join("src/lib.rs"), code).unwrap();
    }

    /// Compiles; returns the names of the packages that cargo did not take from the build folder.
    fn compile(folder: &Path, build: &Path) -> Vec<String> {
        let mut cargo = Command::new("cargo");
        let profile = ["--config", "profile.dev.debug=false"];
        cargo.args(["build", "--verbose", "--offline"]).args(profile).arg("--target-dir").arg(build);
        let output = paths::as_in_any_shell(&mut cargo).current_dir(folder).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let lines = said.lines().filter_map(|line| line.trim().strip_prefix("Compiling "));
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn cargo_compiles_a_crate_once_for_the_cells_of_all_clones() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        clone(&at("one"), "pub fn one() {}");
        assert_eq!(compile(&at("one"), &at("build")), ["nchw"]);

        std::thread::sleep(std::time::Duration::from_millis(20));
        clone(&at("two"), "pub fn one() {}");
        copy_complete(&at("build"), &at("two-build"), is_compiled).unwrap();
        date(&at("two-build"), SystemTime::now()).unwrap();
        assert_eq!(compile(&at("two"), &at("two-build")), [""; 0], "has the same source");

        // A kernel's working folder, and a cell.
        let slot = at("two/.nchw/slot");
        fs::create_dir_all(slot.join("src")).unwrap();
        fs::write(slot.join("src/lib.rs"), "pub use nchw::one;").unwrap();
        package::link_crates(&at("two"), &slot).unwrap();
        let evcxr = format!(
            "[package]\nname = \"ctx\"\nedition = \"2024\"\n\n[dependencies]\nnchw = {{ path = \"{}\" }}\n",
            at("two/crates/nchw").display()
        );
        fs::write(slot.join("Cargo.toml"), evcxr).unwrap();
        let inside = package::InWorkspace::begin(&at("two"), &slot).unwrap();
        assert_eq!(compile(&slot, &at("two-build")), ["ctx"], "only the cell");
        drop(inside);

        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(at("two/crates/nchw/src/lib.rs"), "pub fn one() { two() } fn two() {}").unwrap();
        assert_eq!(compile(&at("two"), &at("two-build")), ["nchw"], "was edited");
    }

    #[test]
    fn a_cache_that_cannot_be_written_stops_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        shared(&file, "a").keep(temp.path(), |_| true);
    }
}
