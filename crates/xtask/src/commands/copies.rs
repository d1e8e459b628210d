//! The learner's own notebooks: clean copies of the published ones, without outputs.
//!
//! The published notebooks in `notebooks/` show every answer, and `git pull` changes them. Learners
//! therefore work in `my-notebooks/`, which git ignores. There, a copy is replaced by a newer version only if
//! it is still exactly as it was written; the hashes of what was written are in the folder's `HASHES`.

use crate::{paths, system::files};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, os::unix::fs::symlink};

/// The hash of every copy as it was written, by file name.
const HASHES: &str = ".copies.json";

/// What happened to one copy.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// It is as it was.
    Kept,
    /// It did not exist, and was written.
    Written,
    /// It was unchanged since it was written, and is now as the newer published notebook.
    Updated,
    /// The learner has changed it; the published notebook is newer.
    Outdated,
    /// It was started again; the learner's version is now in the file with this name.
    Fresh(String),
}

/// Writes the copies that are missing, updates those that nobody has changed, and starts those in `fresh`
/// again, such as `03`. Returns the folder.
///
/// # Errors
/// If `fresh` names no notebook, or a file cannot be written.
pub fn update(fresh: &[String]) -> Result<PathBuf> {
    let folder = paths::my_notebooks();
    for (name, outcome) in update_in(&paths::notebooks(), &folder, fresh)? {
        let short = name.split('-').next().filter(|part| part.parse::<u32>().is_ok()).unwrap_or(&name);
        match outcome {
            Outcome::Kept | Outcome::Written => {}
            Outcome::Updated => {
                println!("my-notebooks/{name}.ipynb: updated, the course has a newer version")
            }
            Outcome::Outdated => println!(
                "my-notebooks/{name}.ipynb: kept, because you have changed it. The course has a newer version: \
                 `cargo xtask lab --fresh {short}` starts it again, and keeps yours under another name"
            ),
            Outcome::Fresh(old) => println!("my-notebooks/{name}.ipynb: started again; yours is now {old}"),
        }
    }
    Ok(folder)
}

fn update_in(published: &Path, folder: &Path, fresh: &[String]) -> Result<Vec<(String, Outcome)>> {
    let names = names_in(published)?;
    let fresh: Vec<String> = fresh.iter().map(|wanted| find(wanted, &names)).collect::<Result<_>>()?;
    let new = !folder.exists();
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    // Trainings from before this folder existed.
    if new && published.join("runs").is_dir() {
        symlink(
            Path::new("..").join(published.file_name().unwrap_or_default()).join("runs"),
            folder.join("runs"),
        )?;
    }
    let mut hashes = read_hashes(&folder.join(HASHES));
    let mut outcomes = Vec::new();
    for name in names {
        let file = format!("{name}.ipynb");
        let text = clean(&fs::read_to_string(published.join(&file))?).with_context(|| {
            format!("notebooks/{file} is not a notebook: `git checkout notebooks/{file}` restores it")
        })?;
        let path = folder.join(&file);
        let current = match fs::read(&path) {
            Ok(bytes) => Some(hash(&bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("could not read {}", path.display())),
        };
        let written = hash(text.as_bytes());
        let outcome = match current {
            None => Outcome::Written,
            Some(current) if current == written => Outcome::Kept,
            Some(current) if hashes.get(&file) == Some(&current) => Outcome::Updated,
            Some(_) if fresh.contains(&name) => {
                let old = unused_name(folder, &name);
                fs::rename(&path, folder.join(&old))?;
                Outcome::Fresh(old)
            }
            Some(_) if hashes.get(&file) == Some(&written) => Outcome::Kept,
            Some(_) => Outcome::Outdated,
        };
        if !matches!(outcome, Outcome::Kept | Outcome::Outdated) {
            files::write(&path, text)?;
            hashes.insert(file, written);
            // After every file, so that an interruption leaves no copy without its hash for long.
            files::write(&folder.join(HASHES), serde_json::to_string_pretty(&hashes)?)?;
        }
        outcomes.push((name, outcome));
    }
    Ok(outcomes)
}

/// The names of the published notebooks, sorted, without `.ipynb`. A notebook without a source is the learner's.
fn names_in(published: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(published).with_context(|| format!("could not read {}", published.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ipynb") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if published.join("src").join(format!("{name}.md")).is_file() {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

/// The notebook that `wanted` means: `03`, `3`, `03-channels` or `03-channels.ipynb`.
fn find(wanted: &str, names: &[String]) -> Result<String> {
    let wanted = wanted.trim_end_matches(".ipynb");
    let means = |name: &&String| {
        let number = name.split('-').next().and_then(|part| part.parse::<u32>().ok());
        *name == wanted || number.is_some() && number == wanted.parse().ok()
    };
    match names.iter().find(means) {
        Some(name) => Ok(name.clone()),
        None => bail!("there is no notebook `{wanted}`; there are: {}", names.join(", ")),
    }
}

/// A name for the learner's version of a notebook that is started again.
fn unused_name(folder: &Path, name: &str) -> String {
    let names =
        (1..).map(|n| if n == 1 { format!("{name}-old.ipynb") } else { format!("{name}-old-{n}.ipynb") });
    // A link to nothing is the learner's, too.
    let unused = |file: &String| fs::symlink_metadata(folder.join(file)).is_err();
    names.into_iter().find(unused).unwrap_or_else(|| unreachable!("there are infinitely many names"))
}

/// The notebook without outputs.
fn clean(text: &str) -> Result<String> {
    let mut notebook: Value = serde_json::from_str(text)?;
    for cell in notebook["cells"].as_array_mut().context("it has no cells")? {
        if cell["cell_type"] == "code" {
            cell["outputs"] = json!([]);
            cell["execution_count"] = Value::Null;
        }
    }
    Ok(serde_json::to_string_pretty(&notebook)? + "\n")
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// No hashes if the file cannot be read: then every copy counts as changed, and is kept.
fn read_hashes(path: &Path) -> BTreeMap<String, String> {
    fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const OUTPUT: &str = "the answer is 42";

    /// A course with the notebooks 00 and 03, and a folder for the copies.
    fn course() -> (TempDir, PathBuf, PathBuf) {
        let temp = tempfile::tempdir().unwrap();
        let (published, folder) = (temp.path().join("notebooks"), temp.path().join("my-notebooks"));
        fs::create_dir_all(published.join("src")).unwrap();
        publish(&published, "00-start", "6 * 7");
        publish(&published, "03-channels", "conv(10, 3)");
        (temp, published, folder)
    }

    fn publish(published: &Path, name: &str, source: &str) {
        let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
            {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "Guess."},
            {"cell_type": "code", "id": "b", "metadata": {"tags": ["answer"]}, "source": source,
             "execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": OUTPUT}]},
        ]});
        fs::write(published.join(format!("{name}.ipynb")), notebook.to_string()).unwrap();
        fs::write(published.join("src").join(format!("{name}.md")), "").unwrap();
    }

    fn read(folder: &Path, file: &str) -> String {
        fs::read_to_string(folder.join(file)).unwrap()
    }

    fn outcomes(published: &Path, folder: &Path, fresh: &[&str]) -> Vec<Outcome> {
        let fresh: Vec<String> = fresh.iter().map(|name| (*name).to_owned()).collect();
        update_in(published, folder, &fresh).unwrap().into_iter().map(|(_, outcome)| outcome).collect()
    }

    #[test]
    fn a_learner_s_notebook_beside_the_published_ones_is_not_copied() {
        let (_temp, published, folder) = course();
        fs::write(published.join("03-alone.ipynb"), "{}").unwrap();
        assert_eq!(outcomes(&published, &folder, &["03"]), [Outcome::Written, Outcome::Written]);
        assert!(!folder.join("03-alone.ipynb").exists());
    }

    #[test]
    fn copies_have_no_outputs_and_keep_their_cells() {
        let (_temp, published, folder) = course();
        assert_eq!(outcomes(&published, &folder, &[]), [Outcome::Written, Outcome::Written]);
        let copy = read(&folder, "03-channels.ipynb");
        assert!(!copy.contains(OUTPUT) && copy.contains("conv(10, 3)") && copy.contains("Guess."), "{copy}");
        let copy: Value = serde_json::from_str(&copy).unwrap();
        assert_eq!(copy["cells"][1]["execution_count"], Value::Null);
        assert_eq!(copy["cells"][1]["metadata"]["tags"], json!(["answer"]));
        assert!(read(&published, "03-channels.ipynb").contains(OUTPUT), "the published notebook stays");
        assert_eq!(outcomes(&published, &folder, &[]), [Outcome::Kept, Outcome::Kept]);
    }

    #[test]
    fn a_copy_that_the_learner_changed_is_never_overwritten() {
        let (_temp, published, folder) = course();
        outcomes(&published, &folder, &[]);
        let mine = read(&folder, "03-channels.ipynb").replace("conv(10, 3)", "conv(11, 3)");
        fs::write(folder.join("03-channels.ipynb"), &mine).unwrap();
        assert_eq!(outcomes(&published, &folder, &[]), [Outcome::Kept, Outcome::Kept]);
        // Like after `git pull`.
        publish(&published, "00-start", "6 * 8");
        publish(&published, "03-channels", "conv(20, 3)");
        assert_eq!(outcomes(&published, &folder, &[]), [Outcome::Updated, Outcome::Outdated]);
        assert!(read(&folder, "00-start.ipynb").contains("6 * 8"));
        assert_eq!(read(&folder, "03-channels.ipynb"), mine);
        // Without the hashes, nothing is known to be unchanged.
        fs::remove_file(folder.join(HASHES)).unwrap();
        publish(&published, "00-start", "6 * 9");
        assert_eq!(outcomes(&published, &folder, &[]), [Outcome::Outdated, Outcome::Outdated]);
        assert!(read(&folder, "00-start.ipynb").contains("6 * 8"));
        // The learner's own notebooks are not touched either.
        fs::write(folder.join("mine.ipynb"), "mine").unwrap();
        outcomes(&published, &folder, &[]);
        assert_eq!(read(&folder, "mine.ipynb"), "mine");
    }

    #[test]
    fn a_notebook_is_started_again_on_request_and_the_old_one_is_kept() {
        let (_temp, published, folder) = course();
        outcomes(&published, &folder, &[]);
        for (n, wanted) in ["03", "3", "03-channels", "03-channels.ipynb"].into_iter().enumerate() {
            let mine = format!("version {n}");
            fs::write(folder.join("03-channels.ipynb"), &mine).unwrap();
            let old = if n == 0 {
                "03-channels-old.ipynb".into()
            } else {
                format!("03-channels-old-{}.ipynb", n + 1)
            };
            assert_eq!(
                outcomes(&published, &folder, &[wanted]),
                [Outcome::Kept, Outcome::Fresh(old.clone())]
            );
            assert_eq!(read(&folder, &old), mine);
            assert!(read(&folder, "03-channels.ipynb").contains("conv(10, 3)"));
        }
        let error = update_in(&published, &folder, &["12".into()]).unwrap_err().to_string();
        assert_eq!(error, "there is no notebook `12`; there are: 00-start, 03-channels");
    }

    #[test]
    fn earlier_trainings_are_found_in_the_new_folder() {
        let (_temp, published, folder) = course();
        fs::create_dir(published.join("runs")).unwrap();
        fs::write(published.join("runs/log"), "loss").unwrap();
        outcomes(&published, &folder, &[]);
        assert_eq!(read(&folder, "runs/log"), "loss");
    }
}
