//! Labels to look at: a line of text, as a printer of labels would print it.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, Luma};

pub(crate) const TEXTS: [&str; 8] =
    ["PUMP 42", "PUMP 42", "TRACKER 745", "TRACKER 745", "BELT 25", "BELT 25", "CABLE 74", "BEARER"];

/// How many pixels a dot of a letter has, in both directions.
const DOT: u32 = 6;
const HEIGHT: usize = 7;
const WIDTH: usize = 5;

/// Seven rows of five dots, each row a number in binary digits.
fn dots(letter: char) -> [u8; HEIGHT] {
    match letter {
        'A' => [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'B' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110],
        'C' => [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110],
        'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        'K' => [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'M' => [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001],
        'P' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000],
        'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
        'U' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        '2' => [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111],
        '4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
        _ => [0; HEIGHT],
    }
}

/// Returns an image of a line of text in dark letters on light ground, turned around or not.
pub(crate) fn png(text: &str, turned: bool) -> Result<Vec<u8>, image::ImageError> {
    let letters: Vec<_> = text.chars().map(dots).collect();
    // A dot of space around, and after each letter.
    let (columns, rows) = ((letters.len() * (WIDTH + 1) + 2) as u32, HEIGHT as u32 + 2);
    let mut image = GrayImage::from_pixel(columns * DOT, rows * DOT, Luma([217]));
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let (column, row) = ((x / DOT) as usize, (y / DOT) as usize);
        let at = column.checked_sub(1).map(|column| (column / (WIDTH + 1), column % (WIDTH + 1)));
        let dots = at.and_then(|(letter, column)| {
            let row = letters.get(letter)?.get(row.checked_sub(1)?)?;
            Some(row.checked_shr(4u32.checked_sub(column as u32)?)? & 1)
        });
        if dots == Some(1) {
            *pixel = Luma([38]);
        }
    }
    let image = DynamicImage::ImageLuma8(image);
    let image = if turned { image.rotate180() } else { image };
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}
