//! Pictures of pages: enough of PNG to read what Chromium writes, and how much ink is where.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// A picture of 8 bits a channel.
pub(crate) struct Picture {
    width: usize,
    height: usize,
    /// Bytes of a pixel: 3, or 4 with alpha.
    depth: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// Reads a PNG file of RGB or RGBA without interlacing (PNG, "Chunk layout", "Filtering").
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n").expect("a PNG");
        let (mut header, mut packed) = (&[][..], Vec::new());
        while rest.len() >= 12 {
            let len = number(rest) as usize;
            let (kind, data) = (&rest[4..8], &rest[8..8 + len]);
            match kind {
                b"IHDR" => header = data,
                b"IDAT" => packed.extend_from_slice(data),
                _ => {}
            }
            rest = &rest[12 + len..];
        }
        let depth = match (header[8], header[9], header[12]) {
            (8, 2, 0) => 3,
            (8, 6, 0) => 4,
            other => panic!("PNG of an unforeseen kind: {other:?}"),
        };
        let (width, height) = (number(header) as usize, number(&header[4..]) as usize);
        let mut lines = Vec::new();
        ZlibDecoder::new(&packed[..])
            .read_to_end(&mut lines)
            .unwrap();
        Self {
            width,
            height,
            depth,
            pixels: unfiltered(&lines, width * depth, depth),
        }
    }

    fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * self.depth;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    /// Returns how light the picture is, from 0 to 255.
    pub(crate) fn lightness(&self) -> u64 {
        let pixels = self.pixels.chunks_exact(self.depth);
        let count = pixels.len() as u64;
        let sum: u64 = pixels
            .map(|pixel| {
                pixel[..3]
                    .iter()
                    .map(|&channel| u64::from(channel))
                    .sum::<u64>()
                    / 3
            })
            .sum();
        sum / count
    }

    /// Returns how many of a thousand pixels of a part, given by left, top, width and height, are
    /// not background. The first pixel of the picture is background.
    pub(crate) fn ink(&self, [left, top, width, height]: [usize; 4]) -> usize {
        assert!(left + width <= self.width && top + height <= self.height);
        let ground = self.pixel(0, 0);
        let points = (top..top + height).flat_map(|y| (left..left + width).map(move |x| (x, y)));
        let inked = points.filter(|&(x, y)| self.pixel(x, y) != ground);
        inked.count() * 1000 / (width * height).max(1)
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Undoes the filters of the lines, each of which begins with the number of its filter.
fn unfiltered(lines: &[u8], len: usize, depth: usize) -> Vec<u8> {
    let mut pixels: Vec<u8> = Vec::with_capacity(lines.len());
    for line in lines.chunks_exact(len + 1) {
        let start = pixels.len();
        for (index, &byte) in line[1..].iter().enumerate() {
            let here = start + index;
            let left = if index >= depth {
                pixels[here - depth]
            } else {
                0
            };
            let above = if start > 0 { pixels[here - len] } else { 0 };
            let corner = if start > 0 && index >= depth {
                pixels[here - len - depth]
            } else {
                0
            };
            let guess = match line[0] {
                0 => 0,
                1 => left,
                2 => above,
                3 => u8::midpoint(left, above),
                4 => nearest(left, above, corner),
                other => panic!("PNG has no filter {other}"),
            };
            pixels.push(byte.wrapping_add(guess));
        }
    }
    pixels
}

/// Returns the neighbour that is nearest to left + above - corner (PNG, "Filter type 4: Paeth").
fn nearest(left: u8, above: u8, corner: u8) -> u8 {
    let target = i32::from(left) + i32::from(above) - i32::from(corner);
    let far = |neighbour: u8| target.abs_diff(i32::from(neighbour));
    // The first of equals.
    let mut best = left;
    for other in [above, corner] {
        if far(other) < far(best) {
            best = other;
        }
    }
    best
}
