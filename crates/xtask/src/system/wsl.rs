//! Linux in Windows (WSL): what is different there, and what to do about it.

use crate::paths;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, iter};
use walkdir::WalkDir;

/// Set-up and a training need this much memory.
const MEMORY_GB: f64 = 6.0;

/// What `doctor` says: a line for each remark. Empty if this is not WSL.
pub fn remarks() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let files = WalkDir::new(paths::dot_nchw().join("steps")).into_iter().flatten();
    let newest = files.filter_map(|file| file.metadata().ok()?.modified().ok()).max();
    let ahead = newest.and_then(|time| time.duration_since(SystemTime::now()).ok()).unwrap_or_default();
    about(&read("/proc/version"), &read("/proc/self/mounts"), &read("/proc/meminfo"), &paths::root(), ahead)
}

/// The remark about a clone on a disk of Windows, which set-up prints before its long steps.
pub fn slow_disk() -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    is_wsl(&fs::read_to_string("/proc/version").ok()?).then(|| on_windows(&mounts, &paths::root()))?
}

fn is_wsl(version: &str) -> bool {
    version.to_lowercase().contains("microsoft")
}

/// `ahead` is how much later than now a file of set-up was written.
fn about(version: &str, mounts: &str, memory: &str, root: &Path, ahead: Duration) -> Vec<String> {
    if !is_wsl(version) {
        return vec![];
    }
    let first = match version.contains("WSL2") {
        true => "Windows Subsystem for Linux, version 2".into(),
        false => {
            "this is version 1, which is slower and has no GPU: `wsl --set-version Ubuntu 2` in PowerShell \
                  converts it"
                .into()
        }
    };
    let memory = gigabytes(memory).filter(|gb| *gb < MEMORY_GB).map(|gb| {
        format!(
            "Linux has {gb:.1} GB of memory, and Windows the rest: to give it more, write `[wsl2]` and below it \
             `memory=6GB` (at most three quarters of what the machine has) into the file .wslconfig in your Windows \
             folder (%UserProfile%), then run `wsl --shutdown`"
        )
    });
    let clock = (ahead > Duration::from_secs(60)).then(|| {
        format!(
            "the clock is at least {} minutes slow, as after the laptop has slept: `sudo hwclock -s` sets it. With a \
             wrong clock, packages are compiled again, and downloads can fail",
            ahead.as_secs() / 60
        )
    });
    iter::once(first).chain(on_windows(mounts, root)).chain(memory).chain(clock).collect()
}

/// What to do if the course is on a disk of Windows.
fn on_windows(mounts: &str, root: &Path) -> Option<String> {
    let mount = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        // In this file, a space in a path is written as `\040`.
        let folder = PathBuf::from(fields.next()?.replace("\\040", " "));
        Some((folder, fields.next()?.to_owned()))
    };
    let of_root = mounts.lines().filter_map(mount).filter(|(folder, _)| root.starts_with(folder));
    let (disk, kind) = of_root.max_by_key(|(folder, _)| folder.components().count())?;
    ["9p", "drvfs", "virtiofs"].contains(&kind.as_str()).then(|| {
        format!(
            "the course is on a disk of Windows ({}), where compiling takes several times as long: \
             clone it again, from its address, into Linux's own files (`cd ~`, then `git clone` as before), and copy \
             your notebooks there: {}",
            disk.display(),
            root.join("my-notebooks").display()
        )
    })
}

/// The memory of the machine, as in `/proc/meminfo`.
fn gigabytes(memory: &str) -> Option<f64> {
    let line = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WSL2: &str = "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@f9c826d3017f) #1 SMP";
    const WSL1: &str = "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com) #1237-Microsoft";
    const MOUNTS: &str =
        "/dev/sdc / ext4 rw 0 0\nC:\\134 /mnt/c 9p rw,noatime 0 0\nD: /mnt/my\\040disk drvfs rw 0 0\n";
    const MEMORY: &str = "MemTotal:       16301234 kB\nMemFree: 1 kB\n";

    #[test]
    fn elsewhere_there_is_nothing_to_say() {
        let other = "Linux version 6.8.0-45-generic (buildd@lcy02) (gcc) #45-Ubuntu SMP";
        assert!(about(other, MOUNTS, "", Path::new("/mnt/c/nchw"), Duration::from_secs(999)).is_empty());
    }

    #[test]
    fn a_good_wsl_is_named_and_an_old_one_is_converted() {
        let home = Path::new("/home/me/nchw");
        let lines = about(WSL2, MOUNTS, MEMORY, home, Duration::ZERO);
        assert_eq!(lines, ["Windows Subsystem for Linux, version 2"]);
        assert!(about(WSL1, MOUNTS, MEMORY, home, Duration::ZERO)[0].contains("wsl --set-version Ubuntu 2"));
    }

    #[test]
    fn a_clone_on_a_windows_disk_little_memory_and_a_slow_clock_are_explained() {
        let little = "MemTotal: 3900000 kB\n";
        let lines =
            about(WSL2, MOUNTS, little, Path::new("/mnt/c/Users/me/nchw"), Duration::from_secs(3 * 60));
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines[1].ends_with("there: /mnt/c/Users/me/nchw/my-notebooks"), "{}", lines[1]);
        assert!(lines[2].contains("3.9 GB") && lines[2].contains("memory=6GB"), "{}", lines[2]);
        assert!(lines[3].contains("3 minutes slow") && lines[3].contains("hwclock -s"), "{}", lines[3]);
        assert!(on_windows(MOUNTS, Path::new("/mnt/my disk/nchw")).is_some());
        assert!(on_windows(MOUNTS, Path::new("/mnt/cc/nchw")).is_none());
    }
}
