//! A training in the background. The same cell, run again, resumes from the last checkpoint.

use super::{
    folder::{ACCURACY, EPOCHS, LEARNED, WEIGHTS, runs, shown, snapshot},
    recipe::Recipe,
    trainer::{EpochLog, LOG, Trainer},
};
use crate::{
    Error, Result,
    chart::{Chart, stacked},
    data::Dataset,
    error::debug_as_display,
    figure::Figure,
    files,
    net::LectureNet,
    notebook::{Output, shows},
    runtime::caught,
};
use nchw_core::html::escape;
use std::{
    collections::HashMap,
    fmt,
    fs::{self, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Steps between two looks at whether to stop.
const STEPS: usize = 4;

/// A training that goes on in the background. See [`train`].
#[derive(Clone)]
pub struct Run(Arc<Shared>);

struct Shared {
    recipe: Recipe,
    identity: String,
    folder: PathBuf,
    stop: AtomicBool,
    now: Mutex<Status>,
    changed: Condvar,
}

/// Where a training stands.
#[derive(Clone, PartialEq)]
pub struct Status {
    /// Whether it goes on, and if not, why.
    pub state: State,
    /// How many epochs there are in all.
    pub epochs: usize,
    /// The part of all steps that is done, 0 to 1.
    pub done: f64,
    /// Seconds of learning so far, without the tests and the pauses.
    pub seconds: f64,
    /// What every epoch that is over showed.
    pub log: Vec<EpochLog>,
    /// What it is trained on, on which device, in which numbers.
    pub about: String,
    /// Where checkpoint, log and, at the end, `weights.safetensors` are.
    pub folder: PathBuf,
}

/// Whether a training goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It learns.
    Running,
    /// [`Run::stop`] was called; the same cell goes on.
    Stopped,
    /// All epochs are over.
    Done,
    /// It could not go on, and why.
    Failed(String),
}

/// All trainings of this process that go on.
static RUNNING: Mutex<Vec<Arc<Shared>>> = Mutex::new(Vec::new());

/// A lock that a panic elsewhere does not close.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Trains the lecture's network by a recipe, in the background.
///
/// Returns at once: ask for [`Run::status`] and [`Run::curve`], or
/// [`Run::wait`]. After every epoch a checkpoint is written. Called again with
/// the same recipe and data, it goes on from there, whatever happened in
/// between; a training that is over is not done again (delete its folder, or
/// change the seed).
///
/// ```
/// use nchw::prelude::*;
/// # let folder = std::env::temp_dir().join(format!("nchw-doc-train-{}", std::process::id()));
/// let data = Dataset::shapes10(64, 32, 1)?;
/// let recipe = Recipe { epochs: 1, batch: 32, folder: Some(folder.clone()), ..Recipe::quick() };
/// let run = train(recipe, &data)?;
/// let net = run.wait()?;
/// assert_eq!(net.logits(&data.test.images)?.size(), [32, 10]);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), nchw::Error>(())
/// ```
///
/// # Shapes
/// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`, in both parts of `data`
///
/// # Errors
/// When a choice of the recipe makes no sense, the data has another shape, the
/// folder holds another training or cannot be written, or another program
/// trains in it.
///
/// # Source
/// Lecture part 7; the recipe is that of PyTorch's and many others' one-cycle
/// trainings (Smith and Topin, 2018, arXiv:1708.07120).
pub fn train(recipe: Recipe, data: &Dataset) -> Result<Run> {
    let mut trainer = Trainer::new(recipe, data)?;
    let recipe = trainer.recipe.clone();
    let identity = trainer.identity();
    let folder = recipe.folder.clone();
    let folder = folder.unwrap_or_else(|| runs().join(format!("{}-{identity}", recipe.name)));
    let cannot =
        |e: &dyn fmt::Display| Error::new(format!("the folder {} cannot be used: {e}", folder.display()));
    fs::create_dir_all(&folder).map_err(|e| cannot(&e))?;
    let folder = folder.canonicalize().map_err(|e| cannot(&e))?;
    let mut running = lock(&RUNNING);
    running.retain(|shared| lock(&shared.now).state == State::Running);
    if let Some(shared) = running.iter().find(|shared| shared.folder == folder) {
        if shared.identity == identity {
            return Ok(Run(shared.clone()));
        }
        return Err(Error::new(format!(
            "another training goes on in {}: stop it first (`run.stop()`), or give this one a folder of its own",
            folder.display()
        )));
    }
    let lock_file = files::lock_file(&folder.join("lock")).map_err(|e| cannot(&e))?;
    match lock_file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(Error::new(format!(
                "another program trains in {} already (another notebook, or `nchw train`): wait for it, \
                 or give this training a folder of its own",
                folder.display()
            )));
        }
        Err(TryLockError::Error(e)) if !files::has_no_locks(&e) => return Err(cannot(&e)),
        _ => {}
    }
    if !trainer.resume(&folder)? {
        overwrites_nothing(&folder)?;
    }
    let shared = Arc::new(Shared {
        now: Mutex::new(Status {
            state: State::Running,
            epochs: trainer.epochs,
            done: trainer.done(),
            seconds: trainer.position.seconds,
            log: trainer.log.clone(),
            about: format!("{} on {}", recipe.name, trainer.about()),
            folder: folder.clone(),
        }),
        recipe,
        identity,
        folder,
        stop: AtomicBool::new(false),
        changed: Condvar::new(),
    });
    let own = shared.clone();
    std::thread::Builder::new()
        .name("nchw-train".into())
        .spawn(move || {
            let ended = caught(|| own.learn(trainer)).unwrap_or_else(|panic| Err(Error::new(panic)));
            give_memory_back();
            drop(lock_file);
            own.tell(|now| now.state = ended.unwrap_or_else(|error| State::Failed(error.to_string())));
        })
        .map_err(|e| cannot(&e))?;
    running.push(shared.clone());
    Ok(Run(shared))
}

/// Refuses a folder in which a new training would overwrite files. A training writes its
/// checkpoint first, so without one they belong to something else.
fn overwrites_nothing(folder: &Path) -> Result<()> {
    for name in [LOG, WEIGHTS, EPOCHS] {
        let path = folder.join(name);
        let there = path.try_exists();
        if there.map_err(|e| Error::new(format!("{} could not be read: {e}", path.display())))? {
            return Err(Error::new(format!(
                "{} holds `{name}` but no checkpoint: a training there would overwrite it. \
                 Choose another folder, or move `{name}` away first",
                folder.display()
            )));
        }
    }
    Ok(())
}

/// glibc keeps what a thread does not need any more, for the thread's next wishes: after a
/// training some hundred MB, which a notebook's kernel would hold on to.
fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointers, and only what nobody uses is given back.
    unsafe {
        libc::malloc_trim(0);
    }
}

impl Shared {
    /// Everything that is left to learn.
    fn learn(&self, mut trainer: Trainer) -> Result<State> {
        let start = Instant::now();
        let begins = trainer.done() == 0.0;
        if begins {
            // Before any other file: by its checkpoint a training knows its folder as its own.
            trainer.save(&self.folder)?;
        }
        let epochs = self.folder.join(EPOCHS);
        fs::create_dir_all(&epochs).map_err(|e| files::not_written(&epochs, &e))?;
        if begins {
            trainer.network().save(snapshot(&self.folder, 0))?;
        }
        // The same files are written after each epoch.
        trainer.fit_minutes(start.elapsed().as_secs_f64())?;
        self.tell(|now| now.epochs = trainer.epochs);
        while !trainer.is_done() {
            if self.stop.load(Ordering::Relaxed) {
                trainer.save(&self.folder)?;
                return Ok(State::Stopped);
            }
            trainer.learn(STEPS)?;
            let over = trainer.position.step == trainer.steps();
            if over {
                trainer.end_epoch()?;
                trainer.network().save(snapshot(&self.folder, trainer.position.epoch))?;
                trainer.save(&self.folder)?;
            }
            self.tell(|now| {
                (now.done, now.seconds) = (trainer.done(), trainer.position.seconds);
                if over {
                    now.log = trainer.log.clone();
                }
            });
        }
        let mut notes = HashMap::from([(LEARNED.to_owned(), trainer.about())]);
        if let Some(last) = trainer.log.last() {
            notes.insert(ACCURACY.to_owned(), last.accuracy.to_string());
        }
        trainer.network().save_with(notes, &self.folder.join(WEIGHTS))?;
        Ok(State::Done)
    }

    fn tell(&self, change: impl FnOnce(&mut Status)) {
        change(&mut lock(&self.now));
        self.changed.notify_all();
    }
}

impl Run {
    /// Where it stands.
    pub fn status(&self) -> Status {
        lock(&self.0.now).clone()
    }

    /// Loss and accuracy of the epochs so far, as a figure.
    ///
    /// # Errors
    /// When no epoch is over yet.
    pub fn curve(&self) -> Result<Figure> {
        let status = self.status();
        if status.log.is_empty() {
            return Err(Error::new(format!("no epoch is over yet, so there is no curve: {status}")));
        }
        let line = |value: fn(&EpochLog) -> f64| status.log.iter().map(value).collect::<Vec<f64>>();
        let accuracy = Chart::new("Accuracy", "epoch", "right answers in %")
            .line("test", &line(|epoch| 100.0 * epoch.accuracy))
            .line("training", &line(|epoch| 100.0 * epoch.train_accuracy));
        let loss = Chart::new("Loss", format!("epoch ({})", status.about), "cross-entropy")
            .line("training", &line(|epoch| epoch.loss));
        stacked(&[accuracy, loss])
    }

    /// Waits until it ends, and prints a line an epoch → the trained network.
    ///
    /// # Errors
    /// When it was stopped or could not go on; what to do then.
    pub fn wait(&self) -> Result<LectureNet> {
        self.wait_and(|line| println!("{line}"))
    }

    /// The same with the lines given to `show`. The status is not locked meanwhile: an output
    /// that nobody reads must not stop the training.
    pub(super) fn wait_and(&self, mut show: impl FnMut(&str)) -> Result<LectureNet> {
        show(&self.status().about);
        let mut shown = 0;
        loop {
            let now = self.news(shown);
            for line in now.log.iter().skip(shown) {
                show(&now.line(line));
            }
            shown = now.log.len();
            match &now.state {
                State::Running => {}
                State::Done => return self.net(),
                State::Stopped => return Err(Error::new(format!("{now}"))),
                State::Failed(why) => return Err(Error::new(why)),
            }
        }
    }

    /// The status as soon as it has more than `known` epochs, or the training has ended.
    fn news(&self, known: usize) -> Status {
        let old = |now: &mut Status| now.state == State::Running && now.log.len() <= known;
        let now = self.0.changed.wait_while(lock(&self.0.now), old);
        now.unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Whether the training could change its status now.
    #[cfg(test)]
    pub(super) fn is_unlocked(&self) -> bool {
        self.0.now.try_lock().is_ok()
    }

    /// The network as it was after the last epoch (its averaged weights).
    ///
    /// # Errors
    /// When no epoch is over yet.
    pub fn net(&self) -> Result<LectureNet> {
        let status = self.status();
        if status.log.is_empty() {
            return Err(Error::new(format!("no epoch is over yet, so there is no network yet: {status}")));
        }
        Trainer::network_of(&self.0.folder, &self.0.recipe)
    }

    /// Ends it after the step it is at; the checkpoint it leaves is where the
    /// same cell goes on.
    pub fn stop(&self) -> Status {
        self.0.stop.store(true, Ordering::Relaxed);
        let now = lock(&self.0.now);
        let running = |now: &mut Status| now.state == State::Running;
        let limit = Duration::from_secs(120);
        let ended = self.0.changed.wait_timeout_while(now, limit, running);
        ended.unwrap_or_else(std::sync::PoisonError::into_inner).0.clone()
    }
}

impl Status {
    fn html(&self) -> String {
        format!("<p>{}</p>", escape(&self.to_string()))
    }

    /// One epoch as a line: bar, loss, accuracy, rate, time left.
    pub fn line(&self, log: &EpochLog) -> String {
        const LENGTH: usize = 20;
        let full = LENGTH * log.epoch / self.epochs;
        let left = log.seconds / log.epoch as f64 * (self.epochs - log.epoch) as f64;
        format!(
            "epoch {:3} of {} {}{} loss {:.3}  test {:5.1} %  rate {:.3}  {}, {} left",
            log.epoch,
            self.epochs,
            "█".repeat(full),
            "░".repeat(LENGTH - full),
            log.loss,
            100.0 * log.accuracy,
            log.rate,
            duration(log.seconds),
            duration(left)
        )
    }
}

/// Seconds as a clock would say them.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Running => "running".to_owned(),
            State::Stopped => "stopped (the same cell goes on from here)".into(),
            State::Done => "done".into(),
            State::Failed(why) => format!("failed: {why}"),
        };
        write!(
            f,
            "{}: {state}, {:.1} of {} epochs",
            self.about,
            self.done * self.epochs as f64,
            self.epochs
        )?;
        if let Some(last) = self.log.last() {
            write!(f, ", {last}, {:.0} pictures/s", last.speed)?;
        }
        if self.state == State::Running && self.done > 0.0 {
            write!(f, ", {} left", duration(self.seconds / self.done * (1.0 - self.done)))?;
        }
        write!(f, "; kept in {}", shown(&self.folder))
    }
}

debug_as_display!(Status, Run);

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}

shows!(
    Run: |run| Output::html(run.status().html(), &run.status()),
    Status: |status| Output::html(status.html(), status),
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{net::LectureNetConfig, testing::TempFolder};
    use crate::{
        train::folder::{best_in, snapshots},
        weights::Weights,
    };
    use tch::{Device, Tensor};

    fn started(folder: &Path) -> Result<Run> {
        let plan = LectureNetConfig { maps: [2, 3, 4], ..LectureNetConfig::default() };
        let folder = Some(folder.to_owned());
        let recipe = Recipe { epochs: 1, batch: 8, device: Device::Cpu, plan, folder, ..Recipe::lecture() };
        train(recipe, &Dataset::shapes10(16, 8, 1)?)
    }

    #[test]
    fn files_of_the_user_in_the_folder_of_a_training_stay() {
        let folder = TempFolder::new("run-foreign");
        for name in [LOG, WEIGHTS, EPOCHS] {
            let file = folder.path().join(name);
            fs::write(&file, "a user's").unwrap();
            let error = started(folder.path()).map(drop).unwrap_err().to_string();
            assert!(error.contains(&format!("holds `{name}` but no checkpoint")), "{error}");
            assert_eq!(fs::read_to_string(&file).unwrap(), "a user's");
            fs::remove_file(file).unwrap();
        }
        fs::write(folder.path().join("lock"), "a user's").unwrap();
        started(folder.path()).unwrap().wait().unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("lock")).unwrap(), "a user's");
        // The same folder again is the same training.
        started(folder.path()).unwrap().wait().unwrap();
        assert_eq!(snapshots(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_missing() {
        let folder = TempFolder::new("run-unreadable");
        let run = folder.path().join("run");
        assert!(best_in(&run).unwrap().is_none(), "no trainings, no error");
        let message = |result: Result<Option<LectureNet>>| result.map(drop).unwrap_err().to_string();
        fs::create_dir(&run).unwrap();
        fs::write(run.join(WEIGHTS), "half").unwrap();
        assert!(message(best_in(folder.path())).contains("not a whole safetensors file"));
        let good = |name: &str, accuracy: &str| {
            let notes = [(LEARNED, "CIFAR-10, 5 + 2 pictures"), (ACCURACY, accuracy)];
            let notes = notes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            let plan = LectureNetConfig { maps: [name.len() as i64, 3, 4], ..LectureNetConfig::default() };
            fs::create_dir(folder.path().join(name)).unwrap();
            let net = LectureNet::new(plan, 1, Device::Cpu).unwrap();
            net.save_with(notes, &folder.path().join(name).join(WEIGHTS)).unwrap();
        };
        good("a", "0.7");
        good("best", "0.9");
        good("last", "0.8");
        assert_eq!(best_in(folder.path()).unwrap().unwrap().config().maps, [4, 3, 4]);
        // Whole as a file, and no network: the next best one.
        let notes = [(LEARNED, "CIFAR-10, 5 + 2 pictures"), (ACCURACY, "0.99")];
        let notes = notes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        fs::create_dir(folder.path().join("odd")).unwrap();
        let odd = Weights { tensors: vec![("odd".into(), Tensor::from(1.0f32))], notes };
        odd.write(&folder.path().join("odd").join(WEIGHTS)).unwrap();
        assert_eq!(best_in(folder.path()).unwrap().unwrap().config().maps, [4, 3, 4]);
        // A file in the place of a folder is no empty folder.
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(message(best_in(&file)).contains("could not be read"));
        fs::write(run.join(EPOCHS), "").unwrap();
        let error = snapshots(&run).unwrap_err().to_string();
        assert!(error.contains("could not be read"), "{error}");
    }
}
