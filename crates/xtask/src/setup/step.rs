//! A step of set-up: what it does, when it is done, and what it says.

use crate::{setup::inputs, system::files};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::{fs, time::Instant};

/// A folder outside of the course's, and what a step puts into it. The user is told before it happens,
/// and by `doctor`.
pub struct Outside(pub PathBuf, pub String);

/// One step. It is done if all that it makes exists, and neither its values nor its inputs have changed.
pub struct Step<'a> {
    /// Short, for messages and the file with its stamp.
    pub name: &'static str,
    /// What it provides, for the user.
    pub what: &'static str,
    /// How much it downloads, and how long it takes.
    pub size: &'static str,
    /// What it changes outside of the course's folder.
    pub outside: Vec<Outside>,
    /// The files and folders of the course that it reads, and the file with its code.
    pub inputs: &'static [&'static str],
    /// Everything else that it depends on. Called when the steps before it are done.
    pub values: Box<dyn Fn() -> Result<Vec<String>> + 'a>,
    /// Begins the longest part of the work, which needs none of the steps before: it runs beside them. Its result is
    /// waited for when it is this step's turn.
    pub early: Option<Box<dyn Fn() -> Result<()> + 'a>>,
    /// Whether all that it makes exists. A user may have deleted a part.
    pub exists: Box<dyn Fn() -> bool + 'a>,
    /// Does the work.
    pub act: Box<dyn Fn() -> Result<()> + 'a>,
}

impl Step<'_> {
    /// A hash of everything that the step depends on.
    pub fn stamp(&self) -> Result<String> {
        inputs::stamp(self.inputs, &(self.values)()?)
    }

    fn is_done(&self, stamps: &Path, stamp: &str) -> bool {
        (self.exists)() && fs::read_to_string(stamps.join(self.name)).is_ok_and(|s| s == stamp)
    }

    fn announce(&self, when: &str) {
        println!("  {}: {} ({}){when}", self.name, self.what, self.size);
        for Outside(folder, what) in &self.outside {
            println!("      outside this folder: {}: {what}", folder.display());
        }
    }

    /// Begins the early part of the step, if it has one and is not done.
    pub fn begin(&self, stamps: &Path) -> Result<()> {
        if let Some(early) = &self.early
            && !self.is_done(stamps, &self.stamp()?)
        {
            self.announce(": begins now, beside the next steps");
            early()?;
        }
        Ok(())
    }

    /// Does the step, if it is not done. The stamp is kept in the folder `stamps`.
    ///
    /// Returns true if there was something to do.
    pub fn run(&self, stamps: &Path) -> Result<bool> {
        // Before the work: an input that is edited meanwhile makes the step run again.
        let (file, stamp) = (stamps.join(self.name), self.stamp()?);
        if self.is_done(stamps, &stamp) {
            return Ok(false);
        }
        self.announce("");
        let start = Instant::now();
        let _ = fs::remove_file(&file);
        (self.act)().with_context(|| {
            format!(
                "set-up stopped at \"{}\"; the steps before it are done: run the same command again to continue",
                self.name
            )
        })?;
        files::write(&file, stamp)?;
        println!("      done in {:.0} s", start.elapsed().as_secs_f64());
        Ok(true)
    }
}

/// Whether all of them exist.
pub fn all_exist(paths: impl IntoIterator<Item = PathBuf>) -> bool {
    paths.into_iter().all(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use std::cell::Cell;

    fn step<'a>(value: &'a str, result: &'a Path, act: &'a dyn Fn() -> Result<()>) -> Step<'a> {
        Step {
            name: "test",
            what: "a test",
            size: "nothing",
            outside: vec![],
            inputs: &[],
            values: Box::new(|| Ok(vec![value.to_owned()])),
            early: None,
            exists: Box::new(|| result.exists()),
            act: Box::new(act),
        }
    }

    #[test]
    fn a_step_runs_once_and_again_when_what_it_depends_on_changes() {
        let temp = tempfile::tempdir().unwrap();
        let (stamps, result) = (temp.path().join("steps"), temp.path().join("result"));
        let count = Cell::new(0);
        let act = || {
            count.set(count.get() + 1);
            fs::write(&result, "").map_err(Into::into)
        };
        let run = |value: &str| step(value, &result, &act).run(&stamps).unwrap();
        assert!(run("a"));
        assert!(!run("a"), "done already");
        assert!(run("b"), "depends on something new");
        fs::remove_file(&result).unwrap();
        assert!(run("b"), "its result was deleted");
        assert_eq!(count.get(), 3);
    }

    #[test]
    fn a_step_whose_input_changed_while_it_worked_runs_again() {
        let temp = tempfile::tempdir().unwrap();
        let value = Cell::new(1);
        let act = || {
            value.set(2);
            Ok(())
        };
        let mut step = step("", temp.path(), &act);
        step.values = Box::new(|| Ok(vec![value.get().to_string()]));
        assert!(step.run(temp.path()).unwrap());
        assert!(step.run(temp.path()).unwrap(), "it was done with the old value");
        assert!(!step.run(temp.path()).unwrap());
    }

    #[test]
    fn an_interrupted_step_runs_again_and_says_how_to_continue() {
        let temp = tempfile::tempdir().unwrap();
        let fails = || bail!("the network went away");
        let error = format!("{:#}", step("x", temp.path(), &fails).run(temp.path()).unwrap_err());
        assert!(
            error.contains("run the same command again") && error.contains("the network went away"),
            "{error}"
        );
        assert!(step("x", temp.path(), &|| Ok(())).run(temp.path()).unwrap(), "not done yet");
    }
}
