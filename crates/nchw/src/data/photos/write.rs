//! A data set as a folder of PNG files, one folder per class.

use crate::{Error, Result, data::Dataset, image::Image};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

/// The file that marks a folder as written here; it contains a hash of the images.
const MARKER: &str = ".nchw-photos";

impl Dataset {
    /// Writes all images as PNG files into a new folder, one folder per class, so that you can open them, and
    /// [`Dataset::from_folder`] can read them.
    ///
    /// The folder is complete or absent. Nothing is ever overwritten: a folder that this function wrote before, from the
    /// same images, is left as it is, and any other is refused.
    ///
    /// # Shapes
    /// `images` `[N, 3, H, W]`, bytes
    ///
    /// # Errors
    /// When something else is there already, the folder cannot be written, or the name of a class cannot be that of a
    /// folder.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// # let folder = std::env::temp_dir().join(format!("nchw-doc-write-{}", std::process::id()));
    /// let folder = Dataset::shapes10(20, 10, 1)?.write_folder(&folder)?;
    /// assert_eq!(Image::open(folder.join("heart/0001.png"))?.height(), 32);
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn write_folder(&self, folder: impl AsRef<Path>) -> Result<PathBuf> {
        let folder = folder.as_ref();
        self.classes.iter().try_for_each(|name| check_name(name))?;
        let marker = self.marker()?;
        if self.is_written(folder, &marker)? {
            return Ok(folder.to_path_buf());
        }
        let parent =
            folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let cannot = |e: &dyn std::fmt::Display| {
            Error::new(format!("the folder {} could not be written: {e}", folder.display()))
        };
        fs::create_dir_all(parent).map_err(|e| cannot(&e))?;
        let new = New::create(parent).map_err(|e| cannot(&e))?;
        self.write_images(&new.0).map_err(|e| cannot(&e))?;
        fs::write(new.0.join(MARKER), &marker).map_err(|e| cannot(&e))?;
        // A rename replaces an empty folder, but never one that contains anything.
        match fs::rename(&new.0, folder) {
            Ok(()) => Ok(folder.to_path_buf()),
            // Another program was faster.
            Err(_) if self.is_written(folder, &marker)? => Ok(folder.to_path_buf()),
            Err(error) => Err(cannot(&error)),
        }
    }

    /// Whether the folder was written from these images. Anything else there is an error.
    fn is_written(&self, folder: &Path, marker: &str) -> Result<bool> {
        let is_empty = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if fs::symlink_metadata(folder).is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
            || is_empty(folder)
        {
            return Ok(false);
        }
        if fs::read_to_string(folder.join(MARKER)).is_ok_and(|text| text == marker) {
            return Ok(true);
        }
        Err(Error::new(format!(
            "{} exists already and contains something else, which is not overwritten: choose another name, or read it \
             with `Dataset::from_folder`",
            folder.display()
        )))
    }

    fn write_images(&self, folder: &Path) -> Result<()> {
        let not_written =
            |path: &Path, e: &dyn std::fmt::Display| Error::new(format!("{}: {e}", path.display()));
        let mut counts = vec![0; self.classes.len()];
        for name in &self.classes {
            let class = folder.join(name);
            fs::create_dir(&class).map_err(|e| not_written(&class, &e))?;
        }
        for examples in [&self.train, &self.test] {
            for index in 0..examples.len() {
                let label = examples.labels.f_int64_value(&[index as i64])?;
                let class =
                    usize::try_from(label).ok().filter(|class| *class < counts.len()).ok_or_else(|| {
                        Error::new(format!("the label {label} has no name among {} classes", counts.len()))
                    })?;
                counts[class] += 1;
                let path = folder.join(&self.classes[class]).join(format!("{:04}.png", counts[class]));
                Image::from_tensor(&examples.images.f_narrow(0, index as i64, 1)?)?.write_png(&path)?;
            }
        }
        Ok(())
    }

    /// The content of the marker.
    fn marker(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        hasher.update(format!("{:?}", self.classes));
        for examples in [&self.train, &self.test] {
            for tensor in [&examples.images, &examples.labels] {
                let plain = tensor.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
                let mut bytes = vec![0; plain.numel() * plain.kind().elt_size_in_bytes()];
                plain.f_copy_data_u8(&mut bytes, plain.numel())?;
                hasher.update(&bytes);
            }
        }
        Ok(format!("Written by nchw from {}, SHA-256 {:x}\n", self.name, hasher.finalize()))
    }
}

/// A new folder of our own beside the one to write; removed when it is dropped, unless it was renamed.
struct New(PathBuf);

impl New {
    fn create(parent: &Path) -> io::Result<New> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!(".nchw-photos-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(New(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for New {
    fn drop(&mut self) {
        // It is ours: `create_dir` made it, and nobody else knows its name. After the rename it does not exist.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Refuses the name of a class that cannot be the name of one folder, or that would be hidden.
fn check_name(name: &str) -> Result<()> {
    let mut parts = Path::new(name).components();
    let is_one =
        matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    if is_one && !name.starts_with('.') && !name.contains(['\0', '/', '\\']) {
        return Ok(());
    }
    Err(Error::new(format!(
        "the class `{name}` cannot be the name of a folder: expected a name without `/` that does not begin with a dot"
    )))
}
