//! evcxr's package as cargo sees it: a member of a workspace that has the course's settings.
//!
//! Cargo knows a crate by its path, but a member of the workspace only by its path in the workspace. A kernel's working
//! folder has a link `crates`, so the course's crates have the same path there as in the clone. What is compiled once
//! then serves the cells of every kernel, the program and the checks, and other clones.

use crate::system::files;
use anyhow::{Context, Result, bail};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The course's crates, in the clone and in every working folder.
const CRATES: &str = "crates";
/// In a working folder, crates of the learner's own that use the course's.
const OTHERS: &str = "others";
/// How far crates of the learner's own depend on each other before one depends on the course's.
const DEPTH: usize = 8;
const MANIFEST: &str = "Cargo.toml";

/// Makes the link `crates` in a working folder of a kernel of the clone `course`.
pub fn link_crates(course: &Path, slot: &Path) -> Result<()> {
    // Of an earlier kernel.
    let _ = fs::remove_dir_all(slot.join(OTHERS));
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
        let Some(span) = path(line).filter(|_| !line.starts_with("path")) else {
            lines.push(line.to_owned());
            continue;
        };
        let folder = Path::new(&line[span.clone()]);
        let inside = if let Some(name) = of_course(folder, &crates) {
            has_nchw |= line.starts_with("nchw =");
            format!("{CRATES}/{name}")
        } else if reaches_course(folder, &crates, DEPTH) {
            format!("{OTHERS}/{}", mirror(folder, &crates, &slot.join(OTHERS), DEPTH)?)
        } else {
            line[span.clone()].to_owned()
        };
        lines.push(replaced(line, span, &inside));
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

/// Whether a crate of the learner's own depends on one of the course's, or on a crate that does.
fn reaches_course(folder: &Path, crates: &Path, depth: usize) -> bool {
    let manifest = fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default();
    // A path can also be in the manifest of the learner's own workspace.
    inherits(&manifest, "nchw")
        || paths_in(&manifest).any(|path| {
            let to = folder.join(path);
            of_course(&to, crates).is_some() || depth > 0 && reaches_course(&to, crates, depth - 1)
        })
}

/// Whether a manifest takes something from a workspace, in a line that begins like this.
fn inherits(manifest: &str, start: &str) -> bool {
    let lines = manifest.lines().map(|line| line.replace(' ', ""));
    lines.filter(|line| line.starts_with(start)).any(|line| line.contains("workspace=true"))
}

/// Links the files of a learner's crate in a folder of ours, with a manifest that names the workspace's crates. The crate
/// itself names them by their path in the clone: for cargo, they would be others. Returns the name of our folder in
/// `others`.
fn mirror(folder: &Path, crates: &Path, others: &Path, depth: usize) -> Result<String> {
    let manifest = fs::read_to_string(folder.join(MANIFEST))?;
    if inherits(&manifest, "") {
        bail!(
            "the crate in {0} uses the course's crates and takes something from a workspace (`workspace = true`), which \
             a notebook cannot find: write the values themselves into {0}/{MANIFEST}, as in `edition = \"2024\"`",
            folder.display()
        );
    }
    let mut lines = Vec::new();
    for line in manifest.lines() {
        let Some(span) = path(line) else {
            lines.push(line.to_owned());
            continue;
        };
        let to = folder.join(&line[span.clone()]);
        let inside = if let Some(name) = of_course(&to, crates) {
            format!("../../{CRATES}/{name}")
        } else if depth > 0 && reaches_course(&to, crates, depth - 1) {
            format!("../{}", mirror(&to, crates, others, depth - 1)?)
        } else if to.is_dir() || line[span.clone()].starts_with("..") {
            to.display().to_string()
        } else {
            line[span.clone()].to_owned()
        };
        lines.push(replaced(line, span, &inside));
    }
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(folder)?.hash(&mut hasher);
    let name = format!("{}-{:x}", folder.file_name().unwrap_or_default().display(), hasher.finish());
    link_files(folder, &others.join(&name), &(lines.join("\n") + "\n"))
        .with_context(|| format!("could not link the crate in {}", folder.display()))?;
    Ok(name)
}

/// Only changes what differs: cargo runs some build scripts again after any change in the folder.
fn link_files(folder: &Path, to: &Path, manifest: &str) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if entry.path().is_symlink() && !folder.join(entry.file_name()).exists() {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != MANIFEST && entry.file_name() != "target" {
            files::link(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    match fs::read_to_string(to.join(MANIFEST)) {
        Ok(before) if before == manifest => Ok(()),
        _ => files::write(&to.join(MANIFEST), manifest),
    }
}

/// Whether a cell's package depends on a crate in a folder that is not the course's: the learner may edit it.
pub fn has_other_crates(manifest: &str) -> bool {
    let dependencies = manifest.split_once("[dependencies]").map_or("", |(_, lines)| lines);
    dependencies.lines().any(|line| !line.trim_start().starts_with("nchw =") && path(line).is_some())
}

/// Whether a cell's package depends on nothing but the course's crate. Macros of another package may read files that the
/// compiler does not know of.
pub fn has_only_the_course(manifest: &str) -> bool {
    let dependencies = manifest.split_once("[dependencies]").map_or("", |(_, lines)| lines);
    let mut lines = dependencies.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.all(|line| line.starts_with("nchw ="))
}

/// The values of `path` in a manifest.
fn paths_in(manifest: &str) -> impl Iterator<Item = &str> {
    manifest.lines().filter_map(|line| Some(&line[path(line)?]))
}

/// Where the value of the key `path` is in a line of a manifest.
fn path(line: &str) -> Option<Range<usize>> {
    line.match_indices("path").find_map(|(at, key)| {
        let before = line[..at].chars().next_back();
        let value = line[at + key.len()..].trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
        let start = line.len() - value.len();
        let is_key = before.is_none_or(|c| c.is_whitespace() || ['{', ','].contains(&c));
        is_key.then_some(start..start + value.find('"')?)
    })
}

fn replaced(line: &str, span: Range<usize>, value: &str) -> String {
    format!("{}{value}{}", &line[..span.start], &line[span.end..])
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
        for registry in ["pathfinding = \"4\"", "mypath = { version = \"1\", features = [\"path\"] }"] {
            assert!(!has_other_crates(&with(registry)), "{registry}");
        }
        assert!(has_other_crates(&with("mypath = { features = [\"path\"], path = \"/home/me/mypath\" }")));
        assert!(has_other_crates(&with("mine = { path = \"/home/me/mine\" }")));
        assert!(has_other_crates(&with("mine = {path=\"/home/me/mine\"}")));
        for (line, expected) in
            [("", true), ("nchw = { path = \"/a\" }\n", true), ("nchw = \"1\"\nrand = \"0.9\"", false)]
        {
            assert_eq!(has_only_the_course(&with(line)), expected, "{line}");
        }
        // When evcxr asks whether a package exists, it indents the lines.
        assert!(!has_other_crates(&with("    nchw = { path = \"/course/crates/nchw\" }")));
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
        let nchw = course.join("crates/nchw");
        let write = |name: &str, manifest: &str| {
            fs::create_dir_all(folder(name).join("src")).unwrap();
            fs::write(folder(name).join("src/lib.rs"), name).unwrap();
            fs::write(folder(name).join(MANIFEST), manifest).unwrap();
        };
        write("plain", "[dependencies]\n");
        write(
            "uses",
            &format!(
                "[lib]\npath = \"../l.rs\"\n\n[dependencies]\nplain = {{ path = \"../plain\" }}\nnchw = {{path=\"{}\"}}\n",
                nchw.display()
            ),
        );
        // Indirectly; the key is also in the path.
        write("mypath", "[lib]\npath = \"src/lib.rs\"\n\n[dependencies]\nuses = { path = \"../uses\" }\n");
        write(
            "inherits",
            &format!(
                "[dependencies]\nedition.workspace = true\nnchw.path = \"{}\"\nx = {{ path = \"{}\" }}\n",
                nchw.display(),
                nchw.display()
            ),
        );
        write("workspace", "[dependencies]\nnchw = { workspace = true }\n");
        let line = |name: &str| format!("{name} = {{ path = \"{}\" }}\n", folder(name).display());
        let of = |names: &[&str]| {
            let lines: String = names.iter().map(|name| line(name)).collect();
            inside(&manifest(&nchw, &lines), &course, &slot)
        };
        let text = of(&["mypath", "plain"]).unwrap().unwrap();
        assert!(
            text.contains("\nmypath = { path = \"others/mypath-") && text.contains(&line("plain")),
            "{text}"
        );
        assert!(text.contains("\npath = \"src/lib.rs\"\n"), "the cell: {text}");
        let ours = |name: &str| {
            let mut entries = fs::read_dir(slot.join(OTHERS)).unwrap().map(|entry| entry.unwrap().path());
            entries.find(|path| path.to_string_lossy().contains(name)).unwrap()
        };
        let mirrored = |name: &str| fs::read_to_string(ours(name).join(MANIFEST)).unwrap();
        let uses = folder("uses");
        let expected = format!(
            "[lib]\npath = \"{}\"\n\n[dependencies]\nplain = {{ path = \"{}\" }}\nnchw = {{path=\"../../crates/nchw\"}}\n",
            folder("mypath").join("../uses/../l.rs").display(),
            folder("mypath").join("../uses/../plain").display()
        );
        assert_eq!(mirrored("uses-"), expected);
        assert!(
            mirrored("mypath-")
                .contains("[lib]\npath = \"src/lib.rs\"\n\n[dependencies]\nuses = { path = \"../uses-")
        );
        assert_eq!(fs::read_to_string(ours("uses-").join("src/lib.rs")).unwrap(), "uses");

        // Nothing changes if nothing has changed; what the learner removes or adds does.
        let time = || fs::metadata(ours("uses-")).unwrap().modified().unwrap();
        let before = time();
        of(&["mypath"]).unwrap();
        assert_eq!(time(), before);
        fs::rename(uses.join("src"), uses.join("code")).unwrap();
        of(&["mypath"]).unwrap();
        assert!(!ours("uses-").join("src").is_symlink() && ours("uses-").join("code/lib.rs").is_file());
        assert!(uses.join("code/lib.rs").is_file(), "the learner's files are not touched");

        for name in ["inherits", "workspace"] {
            let error = of(&[name]).unwrap_err().to_string();
            assert!(error.contains("write the values themselves into"), "{error}");
        }
        link_crates(&course, &slot).unwrap();
        assert!(!slot.join(OTHERS).exists(), "of the kernel before");
    }
}
