//! Reads a folder of photos: decodes each file once, and splits the photos.

use super::{
    list::{self, Found},
    notes::{counted, some_of},
    settings::FolderSettings,
    split::{Look, Photo, Split},
};
use crate::{
    Error, Result,
    data::{Dataset, Examples},
    image::Image,
    runtime::caught,
};
use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tch::Tensor;

/// The most bytes that all images may take in memory.
const MOST_BYTES: usize = 3_000_000_000;

impl Dataset {
    /// Your own photos: a folder with one folder per class, whose name is the name of the class.
    ///
    /// ```text
    /// my-photos/
    ///     cat/   IMG_0001.jpg   IMG_0002.png   …
    ///     dog/   …
    /// ```
    ///
    /// Reads what [`Image::open`] reads, of any size, and crops each photo to a square of 32 × 32. Files that are no
    /// images are skipped; the data set's notes name them and say why. A quarter of each class becomes the test set.
    /// Nothing is written into the folder.
    ///
    /// Photos that look nearly the same are on the same side of the split: otherwise the test would ask for photos that
    /// the network knows. Two photos look the same if their perceptual hashes differ in at most 12 of 128 bits, and
    /// their mean colours by at most 16 of 255. The hash of a photo says for 8 × 8 positions of its reduced grey image
    /// whether it is brighter there than on the right, and whether it is brighter than below (a "difference hash"), so
    /// it stays the same when a photo is stored smaller or with more loss.
    ///
    /// The names of the folders may be in any script. Figures show names that their font does not have, such as Korean
    /// ones, in Latin letters; tables and alternative texts show them as they are.
    ///
    /// Hidden files (`.DS_Store`), `Thumbs.db` and `desktop.ini` are ignored, and symbolic links that leave the folder
    /// are not followed.
    ///
    /// # Shapes
    /// `images` `[N, 3, 32, 32]`, `labels` `[N]`, in both parts
    ///
    /// # Errors
    /// When there is no such folder, it does not contain at least two folders with images, or no image is left for the
    /// test.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// # let folder = std::env::temp_dir().join(format!("nchw-doc-folder-{}", std::process::id()));
    /// let folder = Dataset::animals_and_vehicles()?.write_folder(&folder)?;
    /// let data = Dataset::from_folder(&folder)?;
    /// assert_eq!(data.classes, ["animal", "vehicle"]);
    /// assert_eq!(data.train.len() + data.test.len(), 300);
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Dataset> {
        Dataset::from_folder_with(folder, &FolderSettings::default())
    }

    /// Like [`Dataset::from_folder`], with other settings, such as images of 64 × 64.
    ///
    /// # Shapes
    /// `images` `[N, 3, side, side]`, `labels` `[N]`, in both parts
    ///
    /// # Errors
    /// As [`Dataset::from_folder`], and when a setting is out of range.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// # let folder = std::env::temp_dir().join(format!("nchw-doc-folder-with-{}", std::process::id()));
    /// let folder = Dataset::signs(30, 1)?.write_folder(&folder)?;
    /// let settings = FolderSettings { side: 64, ..FolderSettings::default() };
    /// let data = Dataset::from_folder_with(&folder, &settings)?;
    /// assert_eq!(data.test.images.size()[1..], [3, 64, 64]);
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn from_folder_with(folder: impl AsRef<Path>, settings: &FolderSettings) -> Result<Dataset> {
        settings.check()?;
        let folder = folder.as_ref();
        let found = list::list(folder)?;
        let bytes = 3 * settings.side * settings.side;
        if found.files.len().saturating_mul(bytes) > MOST_BYTES {
            return Err(Error::new(format!(
                "{} has {} files, which would not fit into memory at {} x {}: expected at most {}. Use a smaller \
                 `side`, or fewer photos",
                found.name,
                found.files.len(),
                settings.side,
                settings.side,
                MOST_BYTES / bytes
            )));
        }
        dataset(found, settings)
    }
}

/// Decodes the files, removes classes without images, and splits the photos.
fn dataset(found: Found, settings: &FolderSettings) -> Result<Dataset> {
    let Found { name, mut classes, files, mut notes } = found;
    let (mut photos, mut skipped) = (Vec::new(), Vec::new());
    for (file, decoded) in files.iter().zip(decode_all(&files, settings.side)) {
        match decoded {
            Ok((pixels, look)) => {
                photos.push(Photo { class: file.class, shown: file.shown.clone(), pixels, look });
            }
            Err(why) => skipped.push(format!("{}: {why}", file.shown)),
        }
    }
    if !skipped.is_empty() {
        notes.push(format!(
            "{} skipped: {}",
            counted(skipped.len(), "file was", "files were"),
            some_of(&skipped)
        ));
    }
    remove_empty(&mut classes, &mut photos, &mut notes);
    if classes.len() < 2 {
        let what = match classes.first() {
            Some(only) => {
                format!("there is only one class, `{only}`: a network that always answers `{only}` is right")
            }
            None => "no image was found in its folders".to_owned(),
        };
        let notes: String = notes.iter().map(|note| format!("\n{note}")).collect();
        return Err(Error::new(format!(
            "{name}: expected at least two folders with images, one for each class, as in {name}/cat/1.jpg and \
             {name}/dog/1.jpg; {what}{notes}"
        )));
    }
    let looks: Vec<(usize, Look)> = photos.iter().map(|photo| (photo.class, photo.look)).collect();
    let split = Split::new(&looks, classes.len(), settings);
    notes.extend(split.notes(&photos, &classes));
    let part = |indices: &[usize]| examples(&photos, indices, settings.side);
    let [train, test] = [part(&split.train)?, part(&split.test)?];
    if test.is_empty() || train.is_empty() {
        return Err(Error::new(format!(
            "{name}: no image is left for the test: a class needs at least two images that do not look the same, \
             better 30 or more\n{}",
            notes.join("\n")
        )));
    }
    Ok(Dataset { name, classes, train, test, notes })
}

/// Decodes each file once, on all processors → the reduced pixels and what the photo looks like, or why it cannot be
/// read; in the order of the files.
fn decode_all(files: &[list::File], side: usize) -> Vec<std::result::Result<(Vec<u8>, Look), String>> {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get()).min(16);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(files.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(index) else { return };
                    let decoded = caught(|| decode(file, side))
                        .unwrap_or_else(|_| Err("it is damaged: its decoder failed".to_owned()));
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, decoded));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, decoded)| decoded).collect()
}

fn decode(file: &list::File, side: usize) -> std::result::Result<(Vec<u8>, Look), String> {
    // The message begins with the path, which the note shows shorter.
    let path = file.path.display().to_string();
    let short = |error: Error| {
        let text = error.to_string();
        text.strip_prefix(&path).map_or(text.clone(), |rest| rest.trim_start_matches([' ', ':']).to_owned())
    };
    let photo = Image::open(&file.path).map_err(short)?.rgb();
    let small = photo.cropped_to(side, side).map_err(short)?;
    // Always of the same size, so that the split does not depend on the side.
    let look = if side == 32 {
        Look::of(&small)
    } else {
        photo.cropped_to(32, 32).and_then(|small| Look::of(&small))
    };
    Ok((small.planes(), look.map_err(short)?))
}

/// Removes classes without an image: the labels count only the others.
fn remove_empty(classes: &mut Vec<String>, photos: &mut [Photo], notes: &mut Vec<String>) {
    let is_used = |class: usize| photos.iter().any(|photo| photo.class == class);
    let used: Vec<bool> = (0..classes.len()).map(is_used).collect();
    let label = |class: usize| used[..class].iter().filter(|used| **used).count();
    for (name, _) in classes.iter().zip(&used).filter(|(_, used)| !**used) {
        notes.push(format!("the folder `{name}` has no image and is ignored"));
    }
    photos.iter_mut().for_each(|photo| photo.class = label(photo.class));
    let mut used = used.iter();
    classes.retain(|_| used.next() == Some(&true));
}

/// Some of the photos as tensors.
fn examples(photos: &[Photo], indices: &[usize], side: usize) -> Result<Examples> {
    let pixels: Vec<u8> = indices.iter().flat_map(|index| &photos[*index].pixels).copied().collect();
    let labels: Vec<i64> = indices.iter().map(|index| photos[*index].class as i64).collect();
    let size = [indices.len() as i64, 3, side as i64, side as i64];
    Ok(Examples {
        images: Tensor::f_from_slice(&pixels)?.f_view(size)?,
        labels: Tensor::f_from_slice(&labels)?,
    })
}
