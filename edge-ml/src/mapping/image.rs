//! Images to tensors.

use std::io::Cursor;

use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use super::MapError;
use super::numbers;
use crate::{ElementType, Tensor};

/// How an image becomes a tensor.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Whether colours come before pixels.
    pub(super) planes: bool,
    pub(super) crop: bool,
    pub(super) colours: Colours,
    pub(super) scale: f64,
    pub(super) mean: Vec<f64>,
    pub(super) std: Vec<f64>,
    pub(super) max_pixels: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Rgb,
    Bgr,
    Grey,
}

impl Colours {
    pub(super) const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            _ => 3,
        }
    }
}

impl Picture {
    pub(super) fn tensor(
        &self,
        body: &[u8],
        element: ElementType,
        shape: &[usize],
    ) -> Result<Tensor, MapError> {
        let image = self.fitted(self.decoded(body)?);
        let channels = self.colours.channels();
        let pixels = match self.colours {
            Colours::Grey => image.into_luma8().into_raw(),
            _ => image.into_rgb8().into_raw(),
        };
        let area = pixels.len() / channels;
        let mut numbers = vec![0.0; pixels.len()];
        for (pixel, colours) in pixels.chunks_exact(channels).enumerate() {
            for (channel, value) in colours.iter().enumerate() {
                let channel = if self.colours == Colours::Bgr { 2 - channel } else { channel };
                let at = if self.planes { channel * area + pixel } else { pixel * channels + channel };
                let mean = self.mean.get(channel).copied().unwrap_or(0.0);
                let std = self.std.get(channel).copied().unwrap_or(1.0);
                if let Some(number) = numbers.get_mut(at) {
                    *number = (f64::from(*value) * self.scale - mean) / std;
                }
            }
        }
        let unfit = |_| MapError::Image { reason: format!("its colours are no {}", element.name()) };
        numbers::tensor(element, shape, &numbers).map_err(unfit)
    }

    /// Decodes an image, after looking at how large it says it is.
    fn decoded(&self, body: &[u8]) -> Result<DynamicImage, MapError> {
        let wrong = |reason: String| MapError::Image { reason };
        let format = image::guess_format(body).map_err(|error| wrong(error.to_string()))?;
        if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png) {
            return Err(wrong("it is neither JPEG nor PNG".into()));
        }
        let reader = || ImageReader::with_format(Cursor::new(body), format);
        let (width, height) = reader().into_dimensions().map_err(|error| wrong(error.to_string()))?;
        let (pixels, limit) = (u64::from(width) * u64::from(height), self.max_pixels);
        if pixels > limit {
            return Err(MapError::ImageSize { pixels, limit });
        }
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(limit.saturating_mul(8).max(1 << 16));
        let mut reader = reader();
        reader.limits(limits);
        reader.decode().map_err(|error| wrong(error.to_string()))
    }

    fn fitted(&self, image: DynamicImage) -> DynamicImage {
        let (width, height) = (self.width, self.height);
        if image.width() == width && image.height() == height {
            return image;
        }
        if self.crop {
            image.resize_to_fill(width, height, FilterType::Triangle)
        } else {
            image.resize_exact(width, height, FilterType::Triangle)
        }
    }
}
