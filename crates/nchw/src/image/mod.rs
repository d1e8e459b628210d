//! A photo: from a file to a tensor and back.

mod boxes;
mod figures;
mod file;

pub use boxes::Boxes;
pub use figures::{maps, trace};

use crate::{
    Error, Result,
    numbers::{count_of_numbers, empty_axis},
    text::number,
};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, imageops::FilterType};
use std::{
    env, fmt, fs,
    io::{ErrorKind, Read, Write},
    path::Path,
};
use tch::{Device, Kind, Tensor};

/// An image of 8-bit pixels, grey (C = 1) or RGB (C = 3).
///
/// It owns its pixels, so a notebook cell can keep it in a variable. Methods return a new image and leave
/// this one unchanged.
///
/// ```
/// use nchw::prelude::*;
/// let photo = Image::from_tensor(&Tensor::zeros([3, 20, 30], (Kind::Float, Device::Cpu)))?;
/// assert_eq!((photo.channels(), photo.height(), photo.width()), (3, 20, 30));
/// assert_eq!(photo.tensor().size(), [1, 3, 20, 30]);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone)]
pub struct Image {
    name: String,
    pixels: DynamicImage,
}

impl Image {
    /// Reads a PNG, JPEG, WebP, GIF or BMP file.
    ///
    /// A relative path starts at the notebook's folder. A photo that a camera stored sideways is rotated
    /// upright; transparent pixels become white; an animation gives its first frame; 16 bits per channel
    /// become 8.
    ///
    /// # Errors
    /// When the file does not exist (the message lists the images in its folder), or is not a readable
    /// image.
    pub fn open(path: impl AsRef<Path>) -> Result<Image> {
        let path = path.as_ref();
        let reader = ImageReader::open(path).map_err(|e| missing(path, &e))?;
        let unreadable = |e: &dyn fmt::Display| {
            Error::new(format!(
                "{} is not a readable image ({e}): PNG, JPEG, WebP, GIF and BMP are supported",
                path.display()
            ))
        };
        let failed = |e: ImageError| if file::ended_early(&e) { cut_off(path) } else { unreadable(&e) };
        let mut head = Vec::new();
        fs::File::open(path)
            .and_then(|file| file.take(4096).read_to_end(&mut head))
            .map_err(|e| unreadable(&e))?;
        if let Some(advice) = file::advice(&head, path) {
            return Err(Error::new(format!("{} cannot be read: {advice}", path.display())));
        }
        let reader = reader.with_guessed_format().map_err(|e| unreadable(&e))?;
        if reader.format() == Some(ImageFormat::Jpeg)
            && file::jpeg_is_cut_off(&fs::read(path).map_err(|e| unreadable(&e))?)
        {
            return Err(cut_off(path));
        }
        let mut decoder = reader.into_decoder().map_err(failed)?;
        if decoder.total_bytes() > MAX_BYTES {
            let (width, height) = decoder.dimensions();
            return Err(Error::new(format!(
                "{} is too large: {height} rows (H) and {width} columns (W) take {} MB, expected at most {} \
                 MB. Resize it in an image editor",
                path.display(),
                decoder.total_bytes() / 1_000_000,
                MAX_BYTES / 1_000_000
            )));
        }
        let orientation = decoder.orientation().ok();
        let mut pixels = DynamicImage::from_decoder(decoder).map_err(failed)?;
        if let Some(orientation) = orientation {
            pixels.apply_orientation(orientation);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Image { name, pixels: grey_or_rgb(pixels) })
    }

    /// An image of a tensor's numbers.
    ///
    /// Bytes (`u8`) are used as they are. Other kinds go from 0 (black) to 1 (white); numbers a little
    /// outside are clamped, because the response of a filter may exceed 1.
    ///
    /// # Shapes
    /// `[N=1, C, H, W]` or `[C, H, W]`, C = 1 (grey) or 3 (RGB).
    ///
    /// # Errors
    /// When the tensor has another shape (the message says how to change it), when its numbers seem to go
    /// from 0 to 255, or when one is NaN.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let photo = Tensor::full([3, 20, 30], 200.0, (Kind::Float, Device::Cpu));
    /// assert!(Image::from_tensor(&photo).unwrap_err().to_string().contains("divide by 255"));
    /// assert_eq!(Image::from_tensor(&(photo / 255.0))?.height(), 20);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn from_tensor(tensor: &Tensor) -> Result<Image> {
        let size = tensor.size();
        let (channels, height, width) = match size[..] {
            [1, c @ (1 | 3), h, w] | [c @ (1 | 3), h, w] if h > 0 && w > 0 => (c, h, w),
            _ => return Err(Error::new(wrong_shape(&size))),
        };
        count_of_numbers(&size)?;
        let planes = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_reshape([channels, height, width])?;
        let bytes = match planes.kind() {
            Kind::Uint8 => planes,
            kind => {
                let numbers = planes.f_to_kind(Kind::Float)?;
                check_range(&numbers, kind)?;
                numbers.f_clamp(0.0, 1.0)?.f_mul_scalar(255.0)?.f_round()?
            }
        };
        let rows = bytes.f_to_kind(Kind::Uint8)?.f_permute([1, 2, 0])?.f_contiguous()?.f_view([-1])?;
        let raw = Vec::<u8>::try_from(&rows)?;
        let (w, h) = (width as u32, height as u32);
        let pixels = if channels == 1 {
            image::GrayImage::from_raw(w, h, raw).map(DynamicImage::ImageLuma8)
        } else {
            image::RgbImage::from_raw(w, h, raw).map(DynamicImage::ImageRgb8)
        };
        let pixels =
            pixels.ok_or_else(|| Error::new("the tensor holds fewer numbers than its shape requires"))?;
        Ok(Image { name: "image".into(), pixels })
    }

    /// The image as floats, the input of a network: 0 is black, 1 is white.
    ///
    /// # Shapes
    /// `[N=1, C, H, W]`, `f32`.
    pub fn tensor(&self) -> Tensor {
        self.tensor_u8().to_kind(Kind::Float) / 255.0
    }

    /// The image as bytes, 0 to 255.
    ///
    /// # Shapes
    /// `[N=1, C, H, W]`, `u8`.
    pub fn tensor_u8(&self) -> Tensor {
        let [c, h, w] = [self.channels(), self.height(), self.width()].map(|n| n as i64);
        // In memory, the channels of a pixel are adjacent (H, W, C).
        Tensor::from_slice(self.pixels.as_bytes()).view([1, h, w, c]).permute([0, 3, 1, 2]).contiguous()
    }

    /// C: 1 (grey) or 3 (RGB).
    pub fn channels(&self) -> usize {
        usize::from(self.pixels.color().channel_count())
    }

    /// H, the number of rows.
    pub fn height(&self) -> usize {
        self.pixels.height() as usize
    }

    /// W, the number of columns.
    pub fn width(&self) -> usize {
        self.pixels.width() as usize
    }

    /// Converts the image to grey: one channel, weighted as in Rec. 709.
    pub fn grey(&self) -> Image {
        self.with(DynamicImage::ImageLuma8(self.pixels.to_luma8()))
    }

    /// Converts the image to RGB; the channel of a grey image is repeated three times.
    pub fn rgb(&self) -> Image {
        self.with(DynamicImage::ImageRgb8(self.pixels.to_rgb8()))
    }

    /// Crops `height` rows from row `top` and `width` columns from column `left`.
    ///
    /// # Errors
    /// When the crop is empty or extends beyond the image.
    pub fn crop(&self, top: usize, left: usize, height: usize, width: usize) -> Result<Image> {
        for (axis, from, length, whole) in
            [("rows (H)", top, height, self.height()), ("columns (W)", left, width, self.width())]
        {
            if length == 0 || from.checked_add(length).is_none_or(|end| end > whole) {
                return Err(Error::new(format!(
                    "crop(top, left, height, width): {length} {axis} from {from} do not fit into an image \
                     with {whole}; at most {} are left there",
                    whole.saturating_sub(from)
                )));
            }
        }
        let [x, y, w, h] = [left, top, width, height].map(|n| n as u32);
        Ok(self.with(self.pixels.crop_imm(x, y, w, h)))
    }

    /// Resizes to `height` rows and `width` columns (Lanczos filter).
    ///
    /// # Errors
    /// When a side is 0 or longer than 8192.
    pub fn resize(&self, height: usize, width: usize) -> Result<Image> {
        check_sides("resize", height, width)?;
        Ok(self.with(self.pixels.resize_exact(width as u32, height as u32, FilterType::Lanczos3)))
    }

    /// Resizes without distortion to fill `height` x `width`: the axis that is too long is cropped at both
    /// ends.
    ///
    /// # Errors
    /// When a side is 0 or longer than 8192.
    pub fn cropped_to(&self, height: usize, width: usize) -> Result<Image> {
        check_sides("cropped_to", height, width)?;
        let (h, w) = (self.height(), self.width());
        // The largest centred crop with the aspect ratio of the result.
        let part_h = h.min((w * height).div_ceil(width));
        let part_w = w.min((h * width).div_ceil(height));
        self.crop((h - part_h) / 2, (w - part_w) / 2, part_h, part_w)?.resize(height, width)
    }

    /// Resizes without distortion or cropping to fit into `height` x `width`: grey bars fill the rest (a
    /// letterbox).
    ///
    /// # Errors
    /// When a side is 0 or longer than 8192.
    pub fn letterboxed_to(&self, height: usize, width: usize) -> Result<Image> {
        check_sides("letterboxed_to", height, width)?;
        let (h, w) = (self.height() as f64, self.width() as f64);
        let scale = (height as f64 / h).min(width as f64 / w);
        let fitted = |side: f64, max: usize| ((side * scale).round() as usize).clamp(1, max);
        let small = self.resize(fitted(h, height), fitted(w, width))?;
        // The mean colour of CIFAR-10, which normalization turns into 0.
        let grey = crate::normalise::mean_colour();
        let mut boxed = image::RgbImage::from_pixel(width as u32, height as u32, image::Rgb(grey));
        let (x, y) = ((width - small.width()) / 2, (height - small.height()) / 2);
        image::imageops::replace(&mut boxed, &small.pixels.to_rgb8(), x as i64, y as i64);
        Ok(self.with(DynamicImage::ImageRgb8(boxed)))
    }

    /// The image, reduced without distortion if a side is longer than `side`.
    pub(crate) fn at_most(&self, side: usize) -> Result<Image> {
        let longest = self.height().max(self.width());
        if longest <= side {
            return Ok(self.clone());
        }
        let fitted = |n: usize| (n * side).div_ceil(longest);
        self.resize(fitted(self.height()), fitted(self.width()))
    }

    /// A JPEG file of the image, of a quality at which no difference is seen.
    pub(crate) fn jpeg(&self) -> Result<Vec<u8>> {
        let mut file = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 92);
        let encoded = self.pixels.to_rgb8().write_with_encoder(encoder);
        encoded.map_err(|e| Error::new(format!("{} could not be encoded as JPEG: {e}", self.name)))?;
        Ok(file)
    }

    /// The bytes of an image channel by channel, each row by row.
    ///
    /// # Shapes
    /// → `[C, H, W]`
    pub(crate) fn planes(&self) -> Vec<u8> {
        let (channels, bytes) = (self.channels(), self.pixels.as_bytes());
        (0..channels).flat_map(|channel| bytes.iter().skip(channel).step_by(channels)).copied().collect()
    }

    /// Writes the image as a PNG file, which must not exist.
    pub(crate) fn write_png(&self, path: &Path) -> Result<()> {
        let failed =
            |e: &dyn fmt::Display| Error::new(format!("{} could not be written: {e}", path.display()));
        let mut file = std::io::Cursor::new(Vec::new());
        self.pixels.write_to(&mut file, ImageFormat::Png).map_err(|e| failed(&e))?;
        let written = fs::File::create_new(path).and_then(|mut new| new.write_all(file.get_ref()));
        written.map_err(|e| failed(&e))
    }

    /// Other pixels under the same name.
    fn with(&self, pixels: DynamicImage) -> Image {
        Image { name: self.name.clone(), pixels }
    }

    /// The same image under another name.
    pub fn named(&self, name: impl Into<String>) -> Image {
        Image { name: name.into(), ..self.clone() }
    }

    /// The file's name, for titles.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (c, h, w) = (self.channels(), self.height(), self.width());
        write!(f, "Image {}: C={c} H={h} W={w}", self.name)
    }
}

/// Converts to 8-bit grey or RGB; transparent pixels are blended with white.
fn grey_or_rgb(mut pixels: DynamicImage) -> DynamicImage {
    let colour = pixels.color();
    if colour.has_alpha() {
        let mut rgba = pixels.into_rgba8();
        for pixel in rgba.pixels_mut() {
            let alpha = u32::from(pixel.0[3]);
            let blended = |value: u8| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
            let [r, g, b, _] = pixel.0;
            pixel.0 = [blended(r), blended(g), blended(b), 255];
        }
        pixels = DynamicImage::ImageRgba8(rgba);
    }
    if colour.has_color() {
        DynamicImage::ImageRgb8(pixels.into_rgb8())
    } else {
        DynamicImage::ImageLuma8(pixels.into_luma8())
    }
}

fn cut_off(path: &Path) -> Error {
    Error::new(format!(
        "{} ends before its image does: it was cut off or damaged in transfer. Copy or download it again, \
         or, if an image viewer shows all of it, save it again from there",
        path.display()
    ))
}

fn missing(path: &Path, error: &std::io::Error) -> Error {
    // Only the folder's name, not its path: the output of notebook cells is published.
    let current = env::current_dir().ok().and_then(|d| Some(d.file_name()?.to_string_lossy().into_owned()));
    let current = current.unwrap_or_default();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut images: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| image::ImageFormat::from_path(name).is_ok())
        .collect();
    images.sort();
    images.truncate(8);
    let hint = match (error.kind() == ErrorKind::NotFound, folder.is_dir(), images.is_empty()) {
        (false, ..) => String::new(),
        (_, false, _) => format!(";\nthere is no folder {} either", folder.display()),
        (_, _, true) => format!(";\nthe folder {} contains no images", folder.display()),
        _ => format!(";\nthe folder {} contains {}", folder.display(), images.join(", ")),
    };
    Error::new(format!("could not open {} (relative to the folder {current}): {error}{hint}", path.display()))
}

/// The longest side of a resized image, and the most bytes of a decoded file.
const MAX_SIDE: usize = 8192;
const MAX_BYTES: u64 = 400_000_000;

fn check_sides(function: &str, height: usize, width: usize) -> Result<()> {
    if (1..=MAX_SIDE).contains(&height) && (1..=MAX_SIDE).contains(&width) {
        return Ok(());
    }
    Err(Error::new(format!(
        "{function}(height, width) expects sides from 1 to {MAX_SIDE}, got {height} rows (H) and {width} \
         columns (W)"
    )))
}

/// Usual filters give no larger response to numbers from 0 to 1.
const MAX_RESPONSE: f64 = 20.0;

/// Refuses NaN, and numbers so large that the image would be white.
fn check_range(numbers: &Tensor, kind: Kind) -> Result<()> {
    let (min, max) = (numbers.f_min()?.f_double_value(&[])?, numbers.f_max()?.f_double_value(&[])?);
    if max.is_nan() {
        let count = numbers.f_isnan()?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        return Err(Error::new(format!(
            "{count} of the tensor's {} numbers are NaN, which has no colour: look for a division by 0 or a \
             training that diverged. `feature_maps(&tensor, &[])` shows where they are",
            numbers.numel()
        )));
    }
    if max <= MAX_RESPONSE {
        return Ok(());
    }
    let instead = match kind {
        Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16 => {
            "divide by 255, `Image::from_tensor(&(tensor / 255.0))?`"
        }
        _ => "make them bytes, `Image::from_tensor(&tensor.to_kind(Kind::Uint8))?`",
    };
    Err(Error::new(format!(
        "an image of kind {kind:?} needs numbers from 0 (black) to 1 (white), got numbers from {} to {}. Are \
         they bytes from 0 to 255? Then {instead}. Are they a feature map? Then `feature_maps(&tensor, &[])` \
         draws them",
        number(min as f32),
        number(max as f32)
    )))
}

/// Explains what is wrong with a shape: the number of axes, or the first axis with a wrong length.
fn wrong_shape(size: &[i64]) -> String {
    let channels_last = matches!(*size, [.., 1 | 3]) && size.len() > 2 && !size.contains(&0);
    let why = match *size {
        [] => "it is a single number without axes: `.view([1, 1, 1])` makes it one pixel".into(),
        [_] => "it is flattened: `.view([C, H, W])` restores the axes".into(),
        [_, _] => "the channel axis is missing: `.unsqueeze(0)` adds it".into(),
        [_, _, _, _, _, ..] => {
            format!("it has {} axes: `.i(0)` selects the first element along axis 0", size.len())
        }
        _ if empty_axis(size).is_some() => empty_axis(size).unwrap_or_default(),
        [n, 1 | 3, _, _] => format!("N is {n}, it holds {n} images: `.i(0)` selects the first"),
        [_, _, _, _] if channels_last => {
            "the channels are last: `.permute([0, 3, 1, 2])` puts them second".into()
        }
        _ if channels_last => "the channels are last: `.permute([2, 0, 1])` puts them first".into(),
        [.., c, _, _] => {
            format!("an image has 1 or 3 channels, C is {c}: `feature_maps` draws any number of maps")
        }
    };
    format!("an image needs a tensor of shape [1, C, H, W] or [C, H, W] with C = 1 or 3, got {size:?}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempFolder;

    /// 2 rows and 3 columns; all numbers are different.
    fn corners() -> Tensor {
        let bytes: Vec<u8> = (0..18).map(|i| 10 + i * 13).collect();
        Tensor::from_slice(&bytes).view([1, 3, 2, 3])
    }

    #[test]
    fn a_tensor_round_trips_exactly() {
        let tensor = corners();
        let image = Image::from_tensor(&tensor).unwrap();
        assert_eq!((image.channels(), image.height(), image.width()), (3, 2, 3));
        assert_eq!(image.tensor_u8(), tensor);
        // All 256 bytes survive the conversion to floats.
        let all = Tensor::from_slice(&(0..=255).collect::<Vec<u8>>()).view([1, 1, 8, 32]);
        let grey = Image::from_tensor(&all).unwrap();
        assert_eq!(Image::from_tensor(&grey.tensor()).unwrap().tensor_u8(), all);
    }

    #[test]
    fn a_photo_is_reduced_without_distortion_and_its_jpeg_looks_the_same() {
        let photo = Image::from_tensor(
            &(Tensor::arange(3 * 40 * 60, (Kind::Float, Device::Cpu)) / 7200.0).view([3, 40, 60]),
        )
        .unwrap();
        let small = photo.at_most(30).unwrap();
        assert_eq!([small.height(), small.width()], [20, 30]);
        assert_eq!(photo.at_most(60).unwrap().width(), 60);
        let back = image::load_from_memory(&photo.jpeg().unwrap()).unwrap().to_rgb8();
        let off =
            back.as_raw().iter().zip(photo.pixels.to_rgb8().as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(off <= Some(12), "{off:?}");
    }

    #[test]
    fn a_file_round_trips_exactly() {
        let folder = TempFolder::new("image-file");
        let path = folder.path().join("corners.png");
        let image = Image::from_tensor(&corners()).unwrap();
        image.pixels.save(&path).unwrap();
        let back = Image::open(&path).unwrap();
        assert_eq!(back.tensor_u8(), corners());
        let top_right: Vec<u8> =
            Vec::try_from(back.tensor_u8().select(3, 2).select(2, 0).view([-1])).unwrap();
        assert_eq!(top_right, [10 + 2 * 13, 10 + 8 * 13, 10 + 14 * 13]);
    }

    #[test]
    fn a_permuted_view_is_read_by_its_shape() {
        // [H, W, C] in memory, [C, H, W] by its strides.
        let strided = corners().squeeze_dim(0).permute([1, 2, 0]).contiguous().permute([2, 0, 1]);
        assert_eq!(Image::from_tensor(&strided).unwrap().tensor_u8(), corners());
    }

    #[test]
    fn crop_and_resize_take_rows_first() {
        let image = Image::from_tensor(&corners()).unwrap();
        let part = image.crop(1, 0, 1, 2).unwrap();
        let expected = corners().narrow(2, 1, 1).narrow(3, 0, 2);
        assert_eq!(part.tensor_u8(), expected);
        let larger = image.resize(8, 6).unwrap();
        assert_eq!((larger.height(), larger.width()), (8, 6));
        let error = image.crop(1, 0, 2, 2).unwrap_err().to_string();
        assert!(error.contains("2 rows (H) from 1") && error.contains("at most 1 are left"), "{error}");
        assert!(image.resize(0, 5).unwrap_err().to_string().contains("from 1 to 8192"));
    }

    #[test]
    fn grey_and_rgb() {
        let grey = Image::from_tensor(&corners()).unwrap().grey();
        assert_eq!(grey.tensor().size(), [1, 1, 2, 3]);
        assert_eq!(grey.rgb().tensor().size(), [1, 3, 2, 3]);
        assert_eq!(grey.rgb().tensor_u8().select(1, 2), grey.tensor_u8().select(1, 0));
    }

    #[test]
    fn transparent_and_16_bit_images_are_read() {
        let folder = TempFolder::new("image-kinds");
        let clear = image::RgbaImage::from_pixel(3, 2, image::Rgba([255, 0, 0, 0]));
        clear.save(folder.path().join("clear.png")).unwrap();
        let white = Image::open(folder.path().join("clear.png")).unwrap();
        assert!(white.tensor_u8().min().int64_value(&[]) == 255 && white.channels() == 3);
        let deep = image::ImageBuffer::from_pixel(3, 2, image::Luma([0xFFFF_u16]));
        DynamicImage::ImageLuma16(deep).save(folder.path().join("deep.png")).unwrap();
        let deep = Image::open(folder.path().join("deep.png")).unwrap();
        assert!(deep.channels() == 1 && deep.tensor_u8().max().int64_value(&[]) == 255);
    }

    #[test]
    fn cmyk_images_and_animations_are_read() {
        // A red image with a white top left corner, in CMYK.
        let printed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/see/cmyk.jpg");
        let printed = Image::open(printed).unwrap();
        assert_eq!((printed.channels(), printed.height(), printed.width()), (3, 12, 20));
        let pixel = |y: i64, x: i64| [0, 1, 2].map(|c| printed.tensor_u8().int64_value(&[0, c, y, x]));
        let ([_, _, white], [red, _, blue]) = (pixel(2, 2), pixel(9, 15));
        assert!(white > 200 && red > 150 && blue < 100, "{:?} {:?}", pixel(2, 2), pixel(9, 15));
        let folder = TempFolder::new("image-animation");
        let file = folder.path().join("moving.gif");
        let frame = |grey| {
            image::Frame::new(image::RgbaImage::from_pixel(6, 4, image::Rgba([grey, grey, grey, 255])))
        };
        let mut gif = image::codecs::gif::GifEncoder::new(fs::File::create(&file).unwrap());
        gif.encode_frames([frame(10), frame(200)]).unwrap();
        drop(gif);
        let first = Image::open(&file).unwrap();
        assert_eq!((first.height(), first.width()), (4, 6));
        assert!(first.tensor_u8().max().int64_value(&[]) < 30, "the first frame is the dark one");
    }

    #[test]
    fn cropping_and_letterboxing_do_not_swap_axes() {
        let photo = Image::from_tensor(&corners()).unwrap();
        let (h, w) = (photo.height(), photo.width());
        assert_ne!(h, w);
        for resized in [photo.cropped_to(8, 12).unwrap(), photo.letterboxed_to(8, 12).unwrap()] {
            assert_eq!((resized.height(), resized.width()), (8, 12));
        }
        // A wide image in a square: bars of the mean colour above and below.
        let white = Image::from_tensor(&Tensor::ones([3, 10, 40], (Kind::Float, Device::Cpu))).unwrap();
        let boxed = white.letterboxed_to(32, 32).unwrap().tensor_u8();
        assert_eq!(
            [0, 1, 2].map(|c| boxed.int64_value(&[0, c, 0, 16]) as u8),
            crate::normalise::mean_colour()
        );
        assert_eq!(
            [0, 1, 2].map(|c| boxed.int64_value(&[0, c, 31, 16]) as u8),
            crate::normalise::mean_colour()
        );
        assert_eq!(boxed.narrow(2, 12, 8).min().int64_value(&[]), 255);
        // Both ends lose the same number of columns.
        let ramp =
            Tensor::arange(40, (Kind::Float, Device::Cpu)).view([1, 1, 40]).expand([3, 10, 40], false) / 40.0;
        let cut = Image::from_tensor(&ramp).unwrap().cropped_to(10, 10).unwrap().tensor_u8();
        let [left, right] = [0, 9].map(|x| cut.int64_value(&[0, 0, 5, x]));
        assert!((left + right - 249).abs() < 6 && left < right, "{left} {right}");
        let error = photo.cropped_to(0, 12).unwrap_err().to_string();
        assert!(error.contains('0'), "{error}");
    }

    #[test]
    fn a_wrong_shape_comes_with_a_fix() {
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        for (size, fix) in [
            (&[4, 3, 5, 7][..], "holds 4 images: `.i(0)`"),
            (&[1, 5, 7, 3], ".permute([0, 3, 1, 2])"),
            (&[5, 7, 3], ".permute([2, 0, 1])"),
            (&[5, 7], ".unsqueeze(0)"),
            (&[105], ".view([C, H, W])"),
            (&[1, 10, 5, 7], "C is 10: `feature_maps`"),
            (&[10, 5, 7], "C is 10: `feature_maps`"),
            (&[0, 3, 5, 7], "N is 0, there is no image in the batch"),
            (&[1, 0, 5, 7], "C is 0, it has no channels"),
            (&[1, 3, 0, 5], "H is 0, it has no rows"),
            (&[3, 0, 5], "H is 0, it has no rows"),
            (&[1, 3, 5, 0], "W is 0, it has no columns"),
            (&[], "a single number without axes"),
            (&[1, 1, 3, 5, 7], "it has 5 axes"),
        ] {
            let error = Image::from_tensor(&zeros(size)).unwrap_err().to_string();
            assert!(error.contains(fix) && error.contains(&format!("got {size:?}")), "{error}");
        }
    }

    #[test]
    fn numbers_from_0_to_255_are_refused_with_a_fix() {
        let bytes = corners();
        for (kind, fix) in [
            (Kind::Float, "divide by 255, `Image::from_tensor(&(tensor / 255.0))?`"),
            (Kind::Double, "divide by 255"),
            (Kind::Int64, "make them bytes, `Image::from_tensor(&tensor.to_kind(Kind::Uint8))?`"),
        ] {
            let error = Image::from_tensor(&bytes.to_kind(kind)).unwrap_err().to_string();
            assert!(error.contains(fix) && error.contains("from 10 to 231"), "{error}");
        }
        // The suggested fixes give the image.
        let scaled = Image::from_tensor(&(bytes.to_kind(Kind::Float) / 255.0)).unwrap();
        assert_eq!(scaled.tensor_u8(), bytes);
        let back = bytes.to_kind(Kind::Int64).to_kind(Kind::Uint8);
        assert_eq!(Image::from_tensor(&back).unwrap().tensor_u8(), bytes);
        // The response of a filter may lie outside and is clamped. A mask is black and white.
        let response = Tensor::from_slice(&[-5.0_f32, 0.0, 0.2, 1.0, 3.0, 9.0]).view([1, 2, 3]);
        let pixels: Vec<u8> =
            Vec::try_from(Image::from_tensor(&response).unwrap().tensor_u8().view([-1])).unwrap();
        assert_eq!(pixels, [0, 0, 51, 255, 255, 255]);
        let mask = Image::from_tensor(&response.gt(0.5)).unwrap().tensor_u8();
        assert_eq!(Vec::<u8>::try_from(mask.view([-1])).unwrap(), [0, 0, 0, 255, 255, 255]);
        let error = Image::from_tensor(&(response.sqrt())).unwrap_err().to_string();
        assert!(error.contains("1 of the tensor's 6 numbers are NaN"), "{error}");
    }

    #[test]
    fn impossible_sides_are_refused() {
        let image = Image::from_tensor(&corners()).unwrap();
        for side in [0, 8193, usize::MAX] {
            for (name, resized) in [
                ("resize", image.resize(side, 5)),
                ("cropped_to", image.cropped_to(5, side)),
                ("letterboxed_to", image.letterboxed_to(side, side)),
            ] {
                let error = resized.unwrap_err().to_string();
                assert!(error.starts_with(name) && error.contains(&side.to_string()), "{error}");
            }
        }
        assert!(image.crop(usize::MAX, 0, 2, usize::MAX).is_err());
    }

    #[test]
    fn a_file_that_claims_gigabytes_is_refused() {
        let folder = TempFolder::new("image-bomb");
        let path = folder.path().join("bomb.bmp");
        // The header of 60,000 x 60,000 pixels of three bytes, without any pixel.
        let mut bytes = b"BM".to_vec();
        for number in [54_u32, 0, 54, 40, 60_000, 60_000, 24 << 16 | 1, 0, 0, 0, 0, 0, 0] {
            bytes.extend(number.to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        let error = Image::open(&path).unwrap_err().to_string();
        assert!(error.contains("60000 rows (H)") && error.contains("10800 MB"), "{error}");
    }

    #[test]
    fn a_missing_file_lists_the_folder_and_a_broken_one_is_refused() {
        let folder = TempFolder::new("image-errors");
        Image::from_tensor(&corners()).unwrap().pixels.save(folder.path().join("cat.png")).unwrap();
        let error = Image::open(folder.path().join("dog.png")).unwrap_err().to_string();
        assert!(error.contains("could not open") && error.contains("contains cat.png"), "{error}");
        let error = Image::open(folder.path().join("none/dog.png")).unwrap_err().to_string();
        assert!(error.contains("no folder"), "{error}");
        let text = folder.path().join("text.png");
        fs::write(&text, "not found").unwrap();
        let error = Image::open(&text).unwrap_err().to_string();
        assert!(error.contains("is not a readable image"), "{error}");
        // A file that exists but cannot be opened is not reported as missing.
        let error = Image::open(text.join("dog.png")).unwrap_err().to_string();
        assert!(error.contains("Not a directory") && !error.contains("contains"), "{error}");
    }
}
