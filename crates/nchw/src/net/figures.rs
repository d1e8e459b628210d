//! The figure of the milestones, and how a cell displays them.

use super::Milestones;
use crate::{Result, notebook::shows_its_figure};
use nchw_draw::{
    Figure,
    bars::{Bar, Bars, Column, PLAIN, STRONG},
};

impl Milestones {
    /// Draws the accuracy of each training as a bar that begins where the one before ended.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let accuracy = |index: usize| self.steps.get(index).map_or(0.0, |step| step.accuracy);
        let low = self.steps.iter().map(|step| step.accuracy).fold(f64::INFINITY, f64::min).floor();
        let high = self.steps.iter().map(|step| step.accuracy).fold(low + 1.0, f64::max).ceil();
        let bars = self.steps.iter().enumerate().map(|(i, step)| Bar {
            from: if i == 0 { low } else { accuracy(i - 1) },
            to: step.accuracy,
            text: format!("{:.1} %", step.accuracy),
            colour: if i > 0 && step.changes == 1 { STRONG } else { PLAIN },
        });
        let ticks = (low as i64..=high as i64).map(|tick| tick as f64).collect();
        let column =
            Column { title: String::new(), bars: bars.collect(), range: (low, high), ticks, width: 620.0 };
        let names = self.steps.iter().map(|step| step.change.clone()).collect();
        let title =
            format!("From {:.1} % to {:.1} %: the same network, trained better", accuracy(0), high_of(self));
        let lines = vec![
            "test accuracy in %; each bar begins where the one above ended".to_owned(),
            "blue: one setting changed; grey: a start".to_owned(),
        ];
        let alt = format!("{title}. {}", self.to_string().replace('\n', "; "));
        Bars { title, names, bold: Some(0), columns: vec![column], lines }.figure(alt, self.to_string())
    }
}

fn high_of(way: &Milestones) -> f64 {
    way.steps.iter().map(|step| step.accuracy).fold(0.0, f64::max)
}

shows_its_figure!(Milestones);
