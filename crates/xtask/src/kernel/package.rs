//! evcxr's package as cargo sees it: a member of a workspace that has the course's settings.
//!
//! Cargo knows a crate by its path, but a member of the workspace only by its path in the workspace. A kernel's working
//! folder has a link `crates`, so the course's crates have the same path there as in the clone. What is compiled once
//! then serves the cells of every kernel, the program and the checks, and other clones.

use crate::system::files;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The course's crates, in the clone and in every working folder.
const CRATES: &str = "crates";
/// In a working folder, crates of the learner's own that use the course's.
const OTHERS: &str = "others";
const MANIFEST: &str = "Cargo.toml";

/// Makes the link `crates` in a working folder of a kernel of the clone `course`.
pub fn link_crates(course: &Path, slot: &Path) -> Result<()> {
    files::link(&course.join(CRATES), &slot.join(CRATES))
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
        let Some(inside) = inside(&before, course, slot)? else { return Ok(None) };
        files::write(&manifest, inside)?;
        Ok(Some(InWorkspace { manifest, before }))
    }
}

impl Drop for InWorkspace {
    fn drop(&mut self) {
        let _ = files::write(&self.manifest, &self.before);
    }
}

/// evcxr's manifest as the root of a workspace with the settings of the course's. None if it does not depend on `nchw` of
/// this course.
fn inside(manifest: &str, course: &Path, slot: &Path) -> Result<Option<String>> {
    let crates = fs::canonicalize(course.join(CRATES))?;
    let settings = fs::read_to_string(course.join(MANIFEST))?;
    let settings = settings.split_once("[workspace.package]").map(|(_, rest)| rest);
    let settings = settings.and_then(|rest| rest.split("\n[profile.").next()).context("no settings")?;
    let mut lines = Vec::new();
    let mut has_nchw = false;
    for line in manifest.lines() {
        let Some(path) = path(line).filter(|_| !line.starts_with("path")) else {
            lines.push(line.to_owned());
            continue;
        };
        let name = line.split([' ', '=']).next().unwrap_or_default();
        let member = of_course(Path::new(path), &crates).map(|of| format!("{CRATES}/{of}"));
        has_nchw |= name == "nchw" && member.is_some();
        let other = || match uses_course(Path::new(path), &crates) {
            true => mirror(Path::new(path), &crates, &slot.join(OTHERS).join(name))
                .map(|()| format!("{OTHERS}/{name}")),
            false => Ok(path.to_owned()),
        };
        lines.push(line.replace(path, &member.map_or_else(other, Ok)?));
    }
    let manifest = lines.join("\n");
    Ok(has_nchw.then(|| {
        format!("{manifest}\n\n[workspace]\nresolver = \"3\"\nexclude = [\"{OTHERS}\"]\n\n[workspace.package]{settings}\n")
    }))
}

/// The name of the folder in the course's `crates`, if this is one of them.
fn of_course(folder: &Path, crates: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    folder.strip_prefix(crates).ok()?.to_str().map(str::to_owned)
}

/// Whether a crate of the learner's own depends on one of the course's.
fn uses_course(folder: &Path, crates: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default();
    manifest.lines().filter_map(path).any(|path| of_course(&folder.join(path), crates).is_some())
}

/// Links the files of a learner's crate in a folder of ours, with a manifest that names the workspace's crates. The crate
/// itself names them by their path in the clone: for cargo, they would be others.
fn mirror(folder: &Path, crates: &Path, to: &Path) -> Result<()> {
    let made = || -> Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(to)? {
            let path = entry?.path();
            if path.is_symlink() {
                fs::remove_file(path)?;
            }
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name() != MANIFEST && entry.file_name() != "target" {
                symlink(entry.path(), to.join(entry.file_name()))?;
            }
        }
        let manifest = fs::read_to_string(folder.join(MANIFEST))?;
        let lines = manifest.lines().map(|line| {
            let Some(path) = path(line) else { return line.to_owned() };
            let target = folder.join(path);
            match of_course(&target, crates) {
                Some(name) => line.replace(path, &format!("../../{CRATES}/{name}")),
                None if target.is_dir() => line.replace(path, &target.display().to_string()),
                None => line.to_owned(),
            }
        });
        files::write(&to.join(MANIFEST), lines.collect::<Vec<_>>().join("\n") + "\n")
    };
    made().with_context(|| format!("could not link the crate in {}", folder.display()))
}

/// Whether a cell's package depends on a crate in a folder that is not the course's: the learner may edit it.
pub fn has_other_crates(manifest: &str) -> bool {
    let dependencies = manifest.split_once("[dependencies]").map_or("", |(_, lines)| lines);
    dependencies.lines().any(|line| !line.starts_with("nchw =") && path(line).is_some())
}

/// The value of `path` in a line of a manifest.
fn path(line: &str) -> Option<&str> {
    let after = line.split_once("path")?.1.trim_start().strip_prefix('=')?.trim_start();
    after.strip_prefix('"')?.split('"').next()
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
        let change = |manifest: &str| inside(manifest, &course, temp.path()).unwrap();
        assert!(change(&manifest(&course.join("crates/nchw"), "")).is_some());
        assert_eq!(change(&manifest(&mine, "")), None, "another crate with this name");
        assert_eq!(change("[package]\nname = \"ctx\"\n\n[dependencies]\n"), None, "not loaded yet");
    }

    #[test]
    fn a_learner_s_crate_gets_the_workspace_s_crates() {
        let temp = tempfile::tempdir().unwrap();
        let (course, slot) = (paths::root(), temp.path().join("slot"));
        let folder = |name: &str| temp.path().join(name);
        for name in ["uses", "plain"] {
            fs::create_dir_all(folder(name).join("src")).unwrap();
            fs::write(folder(name).join("src/lib.rs"), name).unwrap();
        }
        let nchw = course.join("crates/nchw");
        let text = |dependency: &str| {
            format!(
                "[lib]\npath = \"src/lib.rs\"\n\n[dependencies]\nplain = {{ path = \"../plain\" }}\n{dependency}"
            )
        };
        fs::write(folder("uses").join(MANIFEST), text(&format!("nchw = {{path=\"{}\"}}\n", nchw.display())))
            .unwrap();
        fs::write(folder("plain").join(MANIFEST), "[dependencies]\n").unwrap();
        let line = |name: &str| format!("{name} = {{ path = \"{}\" }}\n", folder(name).display());
        let evcxr = manifest(&nchw, &(line("uses") + &line("plain")));
        let inside = inside(&evcxr, &course, &slot).unwrap().unwrap();
        assert!(
            inside.contains("\nuses = { path = \"others/uses\" }\n") && inside.contains(&line("plain")),
            "{inside}"
        );
        assert!(inside.contains("\npath = \"src/lib.rs\"\n"), "the cell: {inside}");
        let mirrored = fs::read_to_string(slot.join("others/uses/Cargo.toml")).unwrap();
        let plain = folder("uses").join("../plain");
        let expected = format!(
            "[lib]\npath = \"src/lib.rs\"\n\n[dependencies]\nplain = {{ path = \"{}\" }}\nnchw = {{path=\"../../crates/nchw\"}}\n",
            plain.display()
        );
        assert_eq!(mirrored, expected);
        assert_eq!(fs::read_to_string(slot.join("others/uses/src/lib.rs")).unwrap(), "uses");
        assert!(folder("uses").join("src/lib.rs").is_file(), "the learner's files are not touched");
    }
}
