//! The network as an interactive figure: the network explorer.

use crate::{
    Result, data::Cifar10, image::Image, net::LectureNet, notebook::Interactive, numbers::count_of_numbers,
    see::see,
};
use nchw_web::Figure;
use tch::{IndexOp, Kind, Tensor};

/// The side of the images that the network classifies.
const SIDE: usize = 32;

impl LectureNet {
    /// The network explorer: all feature maps of all layers, where each number comes from, and the scores while
    /// channels are switched off. It begins with this image, cropped to a square and reduced to 32 × 32; beside it
    /// is an image of each class of CIFAR-10, and the reader can open others or use the camera.
    ///
    /// The weights are stored as F16, so the scores differ from the network's by about a thousandth. The output has
    /// 1.5 MB for the lecture's network: in a notebook that you hand out, `.save("explorer.html")` makes a page of
    /// its own instead.
    ///
    /// # Errors
    /// When the image cannot be reduced, or a weight is too large for F16.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let net = LectureNet::new(LectureNetConfig { maps: [4, 8, 12], ..Default::default() }, 7, Device::Cpu)?;
    /// let photo = Image::from_tensor(&Tensor::zeros([3, 40, 60], (Kind::Float, Device::Cpu)))?;
    /// assert_eq!(format!("{:?}", net.play(&photo)?), "interactive figure: Network explorer");
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn play(&self, image: &Image) -> Result<Interactive> {
        let image = image.rgb().cropped_to(SIDE, SIDE)?;
        let mut images = vec![(image.name().to_owned(), bytes_of(&image.tensor_u8())?)];
        let album = Cifar10::album()?;
        let labels = album.labels.to_kind(Kind::Int64);
        for (class, name) in Cifar10::NAMES.iter().enumerate() {
            let of_class = labels.f_eq(class as i64)?.f_nonzero()?;
            let index = of_class.f_int64_value(&[0, 0])?;
            images.push((format!("{name}, test image {index}"), bytes_of(&album.images.i(index))?));
        }
        let images: Vec<(String, &[u8])> =
            images.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice())).collect();
        let bytes = self.bytes()?;
        let about = if bytes == LectureNet::shipped()?.bytes()? {
            nchw_web::ABOUT_SHIPPED.to_owned()
        } else {
            "The network of this notebook. Its images must have 32 x 32 pixels.".to_owned()
        };
        let names: Vec<&str> = self.classes().iter().map(String::as_str).collect();
        let figure = Figure::explorer(&bytes, &about, &names, &images)?;
        Ok(Interactive::with_still(figure, &see(self, &image, self.classes())?.figure()?))
    }
}

/// The numbers of an image, as bytes.
fn bytes_of(image: &Tensor) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count_of_numbers(&image.size())?];
    image.f_to_kind(Kind::Uint8)?.f_contiguous()?.f_copy_data_u8(&mut bytes, image.numel())?;
    Ok(bytes)
}
