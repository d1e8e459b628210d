//! The network as shrinking and deepening volumes, with an image on its way through.

use crate::{Error, Result, grid::Grid, image::Image, numbers::grids_of, see::View};
use nchw_draw::{Figure, Network, Palette, Pixels, Volume};

/// The side of a pixel or of an activation on the page: all volumes are drawn to scale.
const UNIT: f64 = 5.5;
/// How far two sheets of a volume are apart.
const STEP: f64 = 1.05;

impl View {
    /// Draws the network with this image on its way through: the three channels, the feature maps after each block
    /// as a stack of sheets, the strongest in front and enlarged below, and the ten scores.
    ///
    /// # Errors
    /// When the image is not 32 × 32: there are no scores then.
    ///
    /// # Source
    /// Lecture part 7.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let view = Cifar10::samples()?.see(&LectureNet::shipped()?, 1, Cifar10::NAMES)?;
    /// assert!(view.drawing()?.text().contains("block1: 32 × 16 × 16"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn drawing(&self) -> Result<Figure> {
        let scores = self.scores()?;
        let image = self.picture();
        let mut volumes = vec![Volume {
            name: "image".into(),
            shape: shape_of(3, image.height(), image.width()),
            sheets: tinted(image)?,
            side: UNIT * image.width() as f64,
            step: 12.0,
            enlarged: String::new(),
        }];
        let mut words = vec![format!("image: {}", volumes[0].shape)];
        for block in ["block1", "block2", "block3"] {
            let order = self.maps(block)?.strongest_first().order()?;
            let maps = grids_of(&self.tensor(block)?)?;
            let [front, ..] = order[..] else {
                return Err(Error::new(format!("{block} has no feature maps")));
            };
            let (height, width) = (maps[front].height(), maps[front].width());
            let volume = Volume {
                name: block.replace("block", "block "),
                shape: shape_of(maps.len(), height, width),
                sheets: order.iter().map(|channel| coloured(&maps[*channel])).collect(),
                side: UNIT * width as f64,
                step: STEP,
                enlarged: format!("channel {front}"),
            };
            words.push(format!("{block}: {}", volume.shape));
            volumes.push(volume);
        }
        let pool = if self.net.config().pooling { "pool" } else { "" };
        let convolutions = |count: usize| vec![format!("conv \u{d7} {count}"), pool.to_owned()];
        let mut steps: Vec<Vec<String>> = [2, 3, 3].into_iter().map(convolutions).collect();
        let last: usize = self.tensor("block3")?.numel();
        steps.push(vec!["flatten".into(), nchw_core::text::commas(last as u64), "linear".into()]);
        let scores: Vec<(String, f64)> = self.classes.iter().cloned().zip(scores).collect();
        let written = scores.iter().map(|(name, score)| format!("{name} {score:.1}"));
        words.push(format!("scores: {}", written.collect::<Vec<_>>().join(", ")));
        let bold = Some(self.answer()?);
        let title = "The network, and an image on its way through".to_owned();
        let lines = [
            "C \u{d7} H \u{d7} W, drawn to scale; a sheet is a channel, the strongest in front and enlarged below",
            "from pale (0) to dark (its maximum), each on its own scale",
        ];
        let lines = lines.map(String::from).into();
        let alt = format!("{title}. {}. {}", words.join("; "), self.answer_line());
        Network { title, volumes, steps, scores, bold, lines }.figure(alt, words.join("\n"))
    }
}

fn shape_of(channels: usize, height: usize, width: usize) -> String {
    format!("{channels} \u{d7} {height} \u{d7} {width}")
}

/// The image, and behind it its channels in red, green and blue.
fn tinted(image: &Image) -> Result<Vec<Pixels>> {
    let photo = image.pixels();
    let channel = |keep: usize| {
        let rgb = photo.rgb.iter().enumerate().map(|(i, value)| if i % 3 == keep { *value } else { 0 });
        Pixels { rgb: rgb.collect(), ..photo.clone() }
    };
    let channels = [channel(0), channel(1), channel(2)];
    Ok([photo.clone()].into_iter().chain(channels).collect())
}

/// A map on its own scale.
fn coloured(map: &Grid) -> Pixels {
    let palette = Palette::fitting(map.values());
    let range = palette.range(map.values());
    let rgb = map.values().iter().flat_map(|value| palette.rgb(*value, range)).collect();
    Pixels { width: map.width() as u32, height: map.height() as u32, rgb }
}
