//! What several tests need, those beside the code (`crate::testing`) and those in `tests/`.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Texts that were looked at, kept in a file under `tests/`.
///
/// `UPDATE_EXPECT=1` writes the file anew: read what changed.
pub fn as_kept(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, text).expect("the kept texts can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if kept == text {
        return;
    }
    let same = kept.lines().zip(text.lines()).take_while(|(kept, now)| kept == now).count();
    let around = |text: &str| text.lines().skip(same.saturating_sub(3)).take(7).collect::<Vec<_>>().join("\n");
    panic!(
        "{file} differs from line {} on\n--- kept\n{}\n--- now\n{}\n--- UPDATE_EXPECT=1 writes it anew",
        same + 1,
        around(&kept),
        around(text)
    );
}

/// A folder of a test's own, gone when the test ends.
pub struct TempFolder(PathBuf);

impl TempFolder {
    pub fn new(name: &str) -> TempFolder {
        let folder = env::temp_dir().join(format!("nchw-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
        TempFolder(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
