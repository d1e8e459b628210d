//! A training in the background. The same cell, run again, resumes from the last checkpoint.

use super::{
    checkpoint::LOG,
    folder::{ACCURACY, DATA, EPOCHS, WEIGHTS, runs, shown, snapshot},
    recipe::Recipe,
    trainer::Trainer,
    training::{EpochLog, bar, duration},
};
use crate::{Error, Result, data::Dataset, error::debug_as_display, files, net::LectureNet, runtime::caught};
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

/// After this many steps, the training checks whether it should stop, and updates its status.
const STEPS: usize = 4;
/// Within an epoch, a waiting cell shows a line after so long.
const PROGRESS: Duration = Duration::from_secs(10);

/// A training in the background. See [`train`].
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

/// How far a training has come, and its results so far.
#[derive(Clone, PartialEq)]
pub struct Status {
    /// Whether it is running; if not, why.
    pub state: State,
    /// The total number of epochs.
    pub epochs: usize,
    /// The number of steps in an epoch.
    pub steps: usize,
    /// The fraction of all steps that are done, 0 to 1.
    pub done: f64,
    /// Seconds of training so far, without tests and interruptions.
    pub seconds: f64,
    /// The results of each completed epoch.
    pub log: Vec<EpochLog>,
    /// The recipe's name, the data, the device and the precision.
    pub about: String,
    /// The folder with checkpoint and log and, at the end, `weights.safetensors`.
    pub folder: PathBuf,
}

/// Whether a training is running; if not, why.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// The training is running.
    Running,
    /// [`Run::stop`] was called; running the same cell again resumes the training.
    Stopped,
    /// All epochs are complete.
    Done,
    /// An error ended the training; the text is its message.
    Failed(String),
}

/// The running trainings of this process.
static RUNNING: Mutex<Vec<Arc<Shared>>> = Mutex::new(Vec::new());

/// Locks a mutex, even if another thread panicked while it held the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Trains the lecture's network with a recipe, in the background.
///
/// Returns immediately. [`Run::status`] and [`Run::curve`] show the progress, [`Run::wait`]
/// waits for the end. A checkpoint is written after every epoch. If `train` is called again with
/// the same recipe and data, it resumes from the checkpoint, also after a crash. A completed
/// training is not repeated (to train again, delete its folder or change the seed).
///
/// ```
/// use nchw::prelude::*;
/// # let folder = std::env::temp_dir().join(format!("nchw-doc-train-{}", std::process::id()));
/// let data = Dataset::shapes10(64, 32, 1)?;
/// let recipe = Recipe { epochs: 1, batch_size: 32, folder: Some(folder.clone()), ..Recipe::quick() };
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
/// If an option of the recipe is out of range, the data has another shape, the folder contains
/// another training or cannot be written, or another program is training in it.
///
/// # Source
/// Lecture part 7. The learning rate follows a one-cycle schedule (Smith and Topin, 2018,
/// arXiv:1708.07120), as with PyTorch's `OneCycleLR`.
pub fn train(recipe: Recipe, data: &Dataset) -> Result<Run> {
    let mut trainer = Trainer::new(recipe, data)?;
    let recipe = trainer.model.recipe.clone();
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
            "another training is running in {}: stop it first (`run.stop()`), or choose another folder for this one",
            folder.display()
        )));
    }
    let lock_file = files::lock_file(&folder.join("lock")).map_err(|e| cannot(&e))?;
    match lock_file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(Error::new(format!(
                "another program trains in {} already (another notebook, or `nchw train`): wait until it ends, \
                 or choose another folder for this training",
                folder.display()
            )));
        }
        Err(TryLockError::Error(e)) if !files::has_no_locks(&e) => return Err(cannot(&e)),
        _ => {}
    }
    if !trainer.resume(&folder)? {
        check_no_overwrite(&folder)?;
    }
    let shared = Arc::new(Shared {
        now: Mutex::new(Status {
            state: State::Running,
            epochs: trainer.epochs,
            steps: trainer.steps(),
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
    let training = shared.clone();
    std::thread::Builder::new()
        .name("nchw-train".into())
        .spawn(move || {
            let ended = caught(|| training.train(trainer)).unwrap_or_else(|panic| Err(Error::new(panic)));
            return_memory();
            drop(lock_file);
            training.update(|now| now.state = ended.unwrap_or_else(|error| State::Failed(error.to_string())));
        })
        .map_err(|e| cannot(&e))?;
    running.push(shared.clone());
    Ok(Run(shared))
}

/// Refuses a folder in which a new training would overwrite files. A training writes its
/// checkpoint first, so files without a checkpoint belong to something else.
fn check_no_overwrite(folder: &Path) -> Result<()> {
    for name in [LOG, WEIGHTS, EPOCHS] {
        let path = folder.join(name);
        let exists = path.try_exists();
        if exists.map_err(|e| Error::new(format!("{} could not be read: {e}", path.display())))? {
            return Err(Error::new(format!(
                "{} contains `{name}` but no checkpoint: a training there would overwrite it. \
                 Choose another folder, or move `{name}` away first",
                folder.display()
            )));
        }
    }
    Ok(())
}

/// Returns free memory to the system. glibc would keep it for later requests: some hundred MB
/// after a training, which a notebook's kernel would occupy until it ends.
fn return_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointers and releases only memory that is not in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

impl Shared {
    /// Trains the remaining steps.
    fn train(&self, mut trainer: Trainer) -> Result<State> {
        let start = Instant::now();
        let is_new = trainer.done() == 0.0;
        if is_new {
            // Before any other file: the checkpoint marks the folder as that of this training.
            trainer.save(&self.folder)?;
        }
        let epochs = self.folder.join(EPOCHS);
        fs::create_dir_all(&epochs).map_err(|e| files::not_written(&epochs, &e))?;
        if is_new {
            trainer.network().save(snapshot(&self.folder, 0))?;
        }
        // The time so far is that of writing an epoch's files: the same ones are written after each epoch.
        trainer.fit_minutes(start.elapsed().as_secs_f64())?;
        self.update(|now| now.epochs = trainer.epochs);
        while !trainer.is_done() {
            if self.stop.load(Ordering::Relaxed) {
                trainer.save(&self.folder)?;
                return Ok(State::Stopped);
            }
            trainer.learn(STEPS).map_err(|error| {
                Error::new(format!("{error}. The weights of the last complete epoch are kept"))
            })?;
            let epoch_ended = trainer.position.step == trainer.steps();
            if epoch_ended {
                trainer.end_epoch()?;
                trainer.network().save(snapshot(&self.folder, trainer.position.epoch))?;
                trainer.save(&self.folder)?;
            }
            self.update(|now| {
                (now.done, now.seconds) = (trainer.done(), trainer.position.seconds);
                if epoch_ended {
                    now.log = trainer.log.clone();
                }
            });
        }
        let mut notes = HashMap::from([(DATA.to_owned(), trainer.about())]);
        if let Some(last) = trainer.log.last() {
            notes.insert(ACCURACY.to_owned(), last.accuracy.to_string());
        }
        trainer.network().save_with(notes, &self.folder.join(WEIGHTS))?;
        Ok(State::Done)
    }

    fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut lock(&self.now));
        self.changed.notify_all();
    }
}

impl Run {
    /// How far the training has come.
    pub fn status(&self) -> Status {
        lock(&self.0.now).clone()
    }

    /// Waits until the training ends, and prints a line per epoch, and every ten seconds within a slow one → the
    /// trained network.
    ///
    /// # Errors
    /// If the training was stopped or failed. The message says what to do.
    pub fn wait(&self) -> Result<LectureNet> {
        self.wait_and_show(|line| println!("{line}"))
    }

    /// Like [`Run::wait`], but passes the lines to `show`. The status is not locked meanwhile, so
    /// an output that blocks does not stop the training.
    pub(super) fn wait_and_show(&self, mut show: impl FnMut(&str)) -> Result<LectureNet> {
        show(&self.status().about);
        let (mut shown, mut last) = (0, Instant::now());
        loop {
            let now = self.wait_while(PROGRESS, |now| now.log.len() <= shown);
            for line in now.log.iter().skip(shown) {
                show(&now.line(line));
                last = Instant::now();
            }
            shown = now.log.len();
            match &now.state {
                State::Running if last.elapsed() >= PROGRESS => {
                    show(&now.progress());
                    last = Instant::now();
                }
                State::Running => {}
                State::Done => return self.net(),
                State::Stopped => return Err(Error::new(format!("{now}"))),
                State::Failed(why) => return Err(Error::new(why)),
            }
        }
    }

    /// Waits until this step of the training is done, or the training has ended → the status.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// # let folder = std::env::temp_dir().join(format!("nchw-doc-step-{}", std::process::id()));
    /// let data = Dataset::shapes10(64, 32, 1)?;
    /// let recipe = Recipe { epochs: 3, batch_size: 8, folder: Some(folder.clone()), ..Recipe::quick() };
    /// let run = train(recipe, &data)?;
    /// assert!(run.wait_for_step(4).step() >= 4);
    /// run.stop();
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn wait_for_step(&self, step: usize) -> Status {
        loop {
            let now = self.wait_while(PROGRESS, |now| now.step() < step);
            if now.step() >= step || now.state != State::Running {
                return now;
            }
        }
    }

    /// Waits while the training runs and `waits` is true, but not longer than `limit` → the status.
    fn wait_while(&self, limit: Duration, waits: impl Fn(&Status) -> bool) -> Status {
        let waits = |now: &mut Status| now.state == State::Running && waits(now);
        let now = self.0.changed.wait_timeout_while(lock(&self.0.now), limit, waits);
        now.unwrap_or_else(std::sync::PoisonError::into_inner).0.clone()
    }

    /// Whether the training can change its status now.
    #[cfg(test)]
    pub(super) fn is_unlocked(&self) -> bool {
        self.0.now.try_lock().is_ok()
    }

    /// The network after the last completed epoch, with averaged weights.
    ///
    /// # Errors
    /// If no epoch is complete yet.
    pub fn net(&self) -> Result<LectureNet> {
        let status = self.status();
        if status.log.is_empty() {
            return Err(Error::new(format!("no epoch is complete yet, so there is no network: {status}")));
        }
        Trainer::network_of(&self.0.folder, &self.0.recipe)
    }

    /// Stops the training after the current step and writes a checkpoint. Running the same cell
    /// again resumes from it.
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
    /// How many steps are done, in all epochs.
    pub fn step(&self) -> usize {
        (self.done * (self.epochs * self.steps) as f64).round() as usize
    }

    /// A line between two epochs: progress bar, time, remaining time.
    fn progress(&self) -> String {
        let left = self.seconds / self.done.max(f64::MIN_POSITIVE) * (1.0 - self.done);
        let (all, steps) = (self.epochs * self.steps, self.step());
        let left = if self.done > 0.0 { format!(", {} left", duration(left)) } else { String::new() };
        format!("step {steps} of {all} {}  {}{left}", bar(steps, all), duration(self.seconds))
    }

    /// One epoch as a line: progress bar, loss, accuracy, learning rate, time, remaining time.
    pub fn line(&self, log: &EpochLog) -> String {
        let left = log.seconds / log.epoch as f64 * (self.epochs - log.epoch) as f64;
        format!(
            "epoch {:3} of {} {} loss {:.3}  test {:5.1} %  lr {:.3}  {}, {} left",
            log.epoch,
            self.epochs,
            bar(log.epoch, self.epochs),
            log.loss,
            100.0 * log.accuracy,
            log.lr,
            duration(log.seconds),
            duration(left)
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Running => "running".to_owned(),
            State::Stopped => "stopped (run the same cell again to resume)".into(),
            State::Done => "done".into(),
            State::Failed(why) => format!("failed: {why}"),
        };
        write!(
            f,
            "{}: {state}, step {} of {} ({:.1} of {} epochs)",
            self.about,
            self.step(),
            self.epochs * self.steps,
            self.done * self.epochs as f64,
            self.epochs
        )?;
        if let Some(last) = self.log.last() {
            write!(f, ", {last}, {:.0} images/s", last.speed)?;
        }
        if self.state == State::Running && self.done > 0.0 {
            write!(f, ", {} left", duration(self.seconds / self.done * (1.0 - self.done)))?;
        }
        write!(f, "; saved in {}", shown(&self.folder))
    }
}

debug_as_display!(Status, Run);

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{net::LectureNetConfig, testing::TempFolder};
    use crate::{
        train::folder::{best_in, snapshots},
        weights::Weights,
    };
    use tch::{Device, Tensor};

    fn start(folder: &Path) -> Result<Run> {
        let config = LectureNetConfig { maps: [2, 3, 4], ..LectureNetConfig::default() };
        let folder = Some(folder.to_owned());
        let recipe =
            Recipe { epochs: 1, batch_size: 8, device: Device::Cpu, config, folder, ..Recipe::lecture() };
        train(recipe, &Dataset::shapes10(16, 8, 1)?)
    }

    #[test]
    fn a_training_does_not_overwrite_files_of_the_user() {
        let folder = TempFolder::new("run-foreign");
        for name in [LOG, WEIGHTS, EPOCHS] {
            let file = folder.path().join(name);
            fs::write(&file, "a user's").unwrap();
            let error = start(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("contains `{name}` but no checkpoint")), "{error}");
            assert_eq!(fs::read_to_string(&file).unwrap(), "a user's");
            fs::remove_file(file).unwrap();
        }
        fs::write(folder.path().join("lock"), "a user's").unwrap();
        start(folder.path()).unwrap().wait().unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("lock")).unwrap(), "a user's");
        // The same recipe in the same folder is the same training.
        start(folder.path()).unwrap().wait().unwrap();
        assert_eq!(snapshots(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn an_unreadable_file_is_not_treated_as_missing() {
        let folder = TempFolder::new("run-unreadable");
        let run = folder.path().join("run");
        assert!(best_in(&run).unwrap().is_none(), "no trainings, no error");
        let message = |result: Result<Option<LectureNet>>| result.unwrap_err().to_string();
        fs::create_dir(&run).unwrap();
        fs::write(run.join(WEIGHTS), "half").unwrap();
        assert!(message(best_in(folder.path())).contains("not a whole safetensors file"));
        let write_net = |name: &str, accuracy: &str| {
            let notes = [(DATA, "CIFAR-10, 5 + 2 images"), (ACCURACY, accuracy)];
            let notes = notes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            let config = LectureNetConfig { maps: [name.len() as i64, 3, 4], ..LectureNetConfig::default() };
            fs::create_dir(folder.path().join(name)).unwrap();
            let net = LectureNet::new(config, 1, Device::Cpu).unwrap();
            net.save_with(notes, &folder.path().join(name).join(WEIGHTS)).unwrap();
        };
        write_net("a", "0.7");
        write_net("best", "0.9");
        write_net("last", "0.8");
        assert_eq!(best_in(folder.path()).unwrap().unwrap().config().maps, [4, 3, 4]);
        // The best file is complete but is not a network: the next best one is taken.
        let notes = [(DATA, "CIFAR-10, 5 + 2 images"), (ACCURACY, "0.99")];
        let notes = notes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        fs::create_dir(folder.path().join("odd")).unwrap();
        let odd = Weights { tensors: vec![("odd".into(), Tensor::from(1.0f32))], notes };
        odd.write(&folder.path().join("odd").join(WEIGHTS)).unwrap();
        assert_eq!(best_in(folder.path()).unwrap().unwrap().config().maps, [4, 3, 4]);
        // A file with the name of the folder is an error, not an empty folder.
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(message(best_in(&file)).contains("could not be read"));
        fs::write(run.join(EPOCHS), "").unwrap();
        let error = snapshots(&run).unwrap_err().to_string();
        assert!(error.contains("could not be read"), "{error}");
    }
}
