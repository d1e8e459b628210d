//! evcxr's package as cargo sees it: a member of a workspace that has the course's settings.
//!
//! Cargo knows a crate by its path, but a member of the workspace only by its path in the workspace. A kernel's working
//! folder has a link `crates`, so the course's crates have the same path there as in the clone. What is compiled once
//! then serves the cells of every kernel, the program and the checks, and other clones.

use crate::system::files;
use anyhow::{Context, Result};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The course's crates, in the clone and in every working folder.
const CRATES: &str = "crates";
const MANIFEST: &str = "Cargo.toml";

/// Makes the link `crates` in a working folder of a kernel of the clone `course`.
pub fn link_crates(course: &Path, slot: &Path) -> Result<()> {
    let (link, crates) = (slot.join(CRATES), course.join(CRATES));
    if fs::read_link(&link).is_ok_and(|leads_to| leads_to == crates) {
        return Ok(());
    }
    let made = || -> io::Result<()> {
        if link.is_symlink() {
            fs::remove_file(&link)?;
        }
        symlink(&crates, &link)
    };
    made().with_context(|| format!("could not make the link {}", link.display()))
}

/// evcxr's manifest during a call of cargo, inside of the workspace. When it is dropped, evcxr's own text is there again.
pub struct InWorkspace {
    manifest: PathBuf,
    before: String,
}

impl InWorkspace {
    /// Writes the manifest in the working folder `slot`, if its package depends on the crate of the clone `course`.
    pub fn begin(course: &Path, slot: &Path) -> Result<Option<InWorkspace>> {
        let manifest = slot.join(MANIFEST);
        let before = fs::read_to_string(&manifest).context("evcxr wrote no Cargo.toml")?;
        let settings = fs::read_to_string(course.join(MANIFEST))?;
        let Some(inside) = inside(&before, &settings, &course.join(CRATES).join("nchw")) else {
            return Ok(None);
        };
        files::write(&manifest, inside)?;
        Ok(Some(InWorkspace { manifest, before }))
    }
}

impl Drop for InWorkspace {
    fn drop(&mut self) {
        let _ = files::write(&self.manifest, &self.before);
    }
}

/// evcxr's manifest as the root of a workspace with the settings of the course's manifest. None if it does not depend on
/// `nchw` in this folder.
///
/// A crate of the learner's own may depend on the course's crates, too, by their path in the clone. For cargo, these would
/// be others than the workspace's, so then nothing is changed, and they are compiled once more.
fn inside(manifest: &str, course: &str, nchw: &Path) -> Option<String> {
    if other_crates(manifest).any(|folder| uses_ours(Path::new(folder), 8)) {
        return None;
    }
    let is_ours = |path: &str| fs::canonicalize(path).ok() == fs::canonicalize(nchw).ok();
    let line = manifest.lines().find(|line| line.starts_with("nchw ="))?;
    let path = path(line).filter(|path| is_ours(path))?;
    let settings = course.split_once("[workspace.package]")?.1.split("\n[profile.").next()?;
    let member = line.replace(path, &format!("{CRATES}/nchw"));
    Some(format!(
        "{}\n[workspace]\nresolver = \"3\"\n\n[workspace.package]{settings}\n",
        manifest.replace(line, &member)
    ))
}

/// Whether a cell's package depends on a crate in a folder that is not the course's: the learner may edit it.
pub fn has_other_crates(manifest: &str) -> bool {
    other_crates(manifest).next().is_some()
}

/// The folders of the crates that a cell's package depends on, besides `nchw`.
fn other_crates(manifest: &str) -> impl Iterator<Item = &str> {
    let dependencies = manifest.split_once("[dependencies]").map_or("", |(_, lines)| lines);
    dependencies.lines().filter(|line| !line.starts_with("nchw =")).filter_map(path)
}

/// The value of `path` in a line of a manifest.
fn path(line: &str) -> Option<&str> {
    let after = line.split_once("path")?.1.trim_start().strip_prefix('=')?.trim_start();
    after.strip_prefix('"')?.split('"').next()
}

/// Whether the crate in this folder, or another one that it depends on, depends on the course's.
fn uses_ours(folder: &Path, depth: usize) -> bool {
    let Ok(manifest) = fs::read_to_string(folder.join(MANIFEST)) else { return false };
    let more = manifest.lines().filter_map(path);
    manifest.contains("nchw")
        || depth > 0 && more.into_iter().any(|path| uses_ours(&folder.join(path), depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths;

    fn manifest(nchw: &Path, more: &str) -> String {
        let of_evcxr = "[package]\nname = \"ctx\"\nedition = \"2024\"\n\n[lib]\npath = \"src/lib.rs\"\n\n[dependencies]\n";
        format!("{of_evcxr}nchw = {{ path = \"{}\" }}\n{more}", nchw.display())
    }

    #[test]
    fn the_workspace_has_the_course_s_settings() {
        let temp = tempfile::tempdir().unwrap();
        let (course, slot) = (paths::root(), temp.path());
        let evcxr = manifest(&course.join("crates/nchw"), "rand = \"0.9\"\n");
        fs::write(slot.join(MANIFEST), &evcxr).unwrap();
        let inside = InWorkspace::begin(&course, slot).unwrap().unwrap();
        let text = fs::read_to_string(slot.join(MANIFEST)).unwrap();
        assert!(text.contains("\nnchw = { path = \"crates/nchw\" }\nrand = \"0.9\"\n"), "{text}");
        let of_course = fs::read_to_string(course.join(MANIFEST)).unwrap();
        for table in of_course.split("\n[").filter(|table| table.starts_with("workspace.")) {
            assert!(text.contains(&format!("\n[{}", table.trim_end())), "{table} is missing in {text}");
        }
        assert!(of_course.contains("resolver = \"3\"") && !text.contains("[profile."), "{text}");
        drop(inside);
        assert_eq!(fs::read_to_string(slot.join(MANIFEST)).unwrap(), evcxr, "as evcxr wrote it");
    }

    #[test]
    fn a_learner_s_own_crate_may_change_at_any_time() {
        let with = |line: &str| {
            format!(
                "[lib]\npath = \"src/lib.rs\"\n\n[dependencies]\nnchw = {{ path = \"/course/crates/nchw\" }}\n{line}\n"
            )
        };
        assert!(!has_other_crates(&with("")));
        assert!(!has_other_crates(&with("pathfinding = \"4\"")));
        assert!(has_other_crates(&with("mine = { path = \"/home/me/mine\" }")));
        assert!(has_other_crates(&with("mine = {path=\"/home/me/mine\"}")));
    }

    #[test]
    fn other_packages_stay_as_they_are() {
        let temp = tempfile::tempdir().unwrap();
        let (course, mine) = (paths::root(), temp.path().join("nchw"));
        fs::create_dir(&mine).unwrap();
        let nchw = course.join("crates/nchw");
        let settings = fs::read_to_string(course.join(MANIFEST)).unwrap();
        let change = |manifest: &str| inside(manifest, &settings, &nchw);
        assert!(change(&manifest(&nchw, "")).is_some());
        assert_eq!(change(&manifest(&mine, "")), None, "another crate with this name");
        // A learner's crate that depends on one that depends on the course's.
        let folder = |name: &str| temp.path().join(name);
        let dependency =
            |path: &str| format!("[package]\nname = \"x\"\n\n[dependencies]\ny = {{path=\"{path}\"}}\n");
        for (name, text) in [
            ("one", dependency("../two")),
            ("two", dependency("/course/crates/nchw")),
            ("three", dependency("../four")),
        ] {
            fs::create_dir(folder(name)).unwrap();
            fs::write(folder(name).join(MANIFEST), text).unwrap();
        }
        for (name, changed) in [("one", false), ("two", false), ("three", true)] {
            let with = manifest(&nchw, &format!("mine = {{ path = \"{}\" }}\n", folder(name).display()));
            assert_eq!(change(&with).is_some(), changed, "{name}");
        }
        assert_eq!(change("[package]\nname = \"ctx\"\n\n[dependencies]\n"), None, "not loaded yet");
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_made_again_but_a_folder_is_not_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let (slot, link) = (temp.path(), temp.path().join(CRATES));
        for course in ["/one", "/two", "/two"] {
            link_crates(Path::new(course), slot).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(course).join(CRATES));
        }
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        assert!(link_crates(Path::new("/one"), slot).is_err());
        assert!(link.is_dir() && !link.is_symlink());
    }
}
