//! Set-up's lock on a clone.

use crate::system::files;
use anyhow::{Result, bail};
use std::{fs::File, path::Path};

/// The lock, until it is dropped.
pub struct Lock(File);

/// Takes the lock in the folder `.nchw` of a clone: two set-ups at the same time would overwrite each
/// other's files.
///
/// # Errors
/// If another set-up is running.
pub fn take(dot_nchw: &Path) -> Result<Lock> {
    let Some(lock) = files::lock(&dot_nchw.join("lock"))? else {
        bail!(
            "another set-up of this clone is running, or a program that a killed set-up started: \
             wait until it has ended, then run the same command again"
        );
    };
    // The programs that set-up starts inherit the lock: if set-up is killed, its pip still writes.
    rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())?;
    Ok(Lock(lock))
}

impl Drop for Lock {
    /// Releases the lock for all processes: a compiler's cache server that set-up started may run for days.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_that_set_up_left_running_does_not_hold_its_lock() {
        let temp = tempfile::tempdir().unwrap();
        let lock = take(temp.path()).unwrap();
        let mut server = Command::new("sleep").arg("20").spawn().unwrap();
        assert!(take(temp.path()).is_err());
        drop(lock);
        let free = take(temp.path()).is_ok();
        server.kill().unwrap();
        server.wait().unwrap();
        assert!(free, "the process in the background still holds the lock");
    }
}
