//! Progress of a search that takes longer than a few seconds: a line before it, then a bar for each tenth.

use crate::shapes::commas;
use std::time::{Duration, Instant};

/// A search that is expected to take longer shows its progress.
const SHOWN_FROM: Duration = Duration::from_secs(5);
/// The bar has this many steps.
const STEPS: usize = 10;

/// How far a search over many images is.
pub(super) struct Progress {
    total: usize,
    start: Instant,
    /// The number of steps that are already shown; `None` before the first line.
    shown: Option<usize>,
}

impl Progress {
    pub(super) fn new(total: usize) -> Progress {
        Progress { total, start: Instant::now(), shown: None }
    }

    /// Prints what has changed, now that so many images are done. Only whole lines, because evcxr shows no others.
    pub(super) fn done(&mut self, count: usize) {
        for line in self.lines(count, self.start.elapsed()) {
            println!("{line}");
        }
    }

    fn lines(&mut self, count: usize, elapsed: Duration) -> Vec<String> {
        let all = elapsed.mul_f64(self.total as f64 / count.max(1) as f64);
        let left = all.saturating_sub(elapsed);
        let mut lines = Vec::new();
        if self.shown.is_none() {
            if left < SHOWN_FROM || count >= self.total {
                return lines;
            }
            lines.push(format!(
                "searching {} images, about {:.0} s on this computer",
                commas(self.total as u64),
                all.as_secs_f64()
            ));
        }
        let step = STEPS * count / self.total.max(1);
        if self.shown.is_none_or(|shown| shown < step) {
            lines.push(format!(
                "{}{} {} images, {:.0} s left",
                "\u{2588}".repeat(step),
                "\u{2591}".repeat(STEPS - step.min(STEPS)),
                commas(count as u64),
                left.as_secs_f64()
            ));
        }
        self.shown = Some(step);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_search_shows_its_progress() {
        let mut short = Progress::new(300);
        assert!(short.lines(250, Duration::from_secs(1)).is_empty());
        let mut long = Progress::new(10_000);
        let first = long.lines(250, Duration::from_secs(1));
        assert_eq!(first[0], "searching 10,000 images, about 40 s on this computer");
        assert_eq!(
            first[1],
            "\u{2591}\u{2591}\u{2591}\u{2591}\u{2591}\u{2591}\u{2591}\u{2591}\u{2591}\u{2591} 250 images, 39 s left"
        );
        assert!(long.lines(500, Duration::from_secs(2)).is_empty(), "still in the first tenth");
        let half = long.lines(5000, Duration::from_secs(20));
        assert!(half[0].starts_with("\u{2588}\u{2588}\u{2588}\u{2588}\u{2588}\u{2591}"), "{half:?}");
        assert!(half[0].ends_with("5,000 images, 20 s left"), "{half:?}");
        assert!(long.lines(10_000, Duration::from_secs(40))[0].ends_with("10,000 images, 0 s left"));
    }
}
