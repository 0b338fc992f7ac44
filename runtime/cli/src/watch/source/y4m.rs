//! YUV4MPEG2, by the format's description in MJPEG tools (`yuv4mpeg(5)`): a line of parameters, then for each frame a
//! line and its planes. FFmpeg's `yuv4mpegpipe` and GStreamer's `y4menc` write it.
//!
//! It is read here and not by the crate `y4m`, which multiplies the sizes of a header unchecked and cannot tell a file
//! that was cut short from one that ended.
//!
//! Limits: 4:2:0 and grey, of 8 bits. Grey is taken as full range. Interlaced frames are looked at as they are.

use super::{
    Next, Sight, SourceError, Wait,
    spec::{Geometry, Input},
    stream::{Filled, Stream, memory},
};
use ocellus::vision::{ColorMatrix, ColorRange, MAX_SIDE, PixelFormat};

const MAGIC: &str = "YUV4MPEG2";
const FRAME: &str = "FRAME";

/// The longest line of parameters.
const LINE: usize = 1024;

/// A stream with a header.
pub struct Y4m {
    stream: Stream,
    geometry: Geometry,
    bytes: Vec<u8>,
    number: u64,
}

/// A line of parameters.
enum Line {
    Text(String),
    /// The stream ended after so many bytes of it.
    Ended(usize),
    Stopped,
}

impl Y4m {
    pub fn open(input: &Input, wait: &Wait<'_>) -> Result<Y4m, SourceError> {
        let mut stream = Stream::open(input)?;
        let header = match line(&mut stream, wait, MAGIC)? {
            Line::Text(header) => header,
            Line::Ended(_) | Line::Stopped => {
                let name = stream.name().to_owned();
                return Err(SourceError::Empty { name });
            }
        };
        let geometry = geometry(stream.name(), &header)?;
        let bytes = memory(stream.name(), geometry.bytes())?;
        Ok(Y4m {
            stream,
            geometry,
            bytes,
            number: 0,
        })
    }

    pub fn is_live(&self) -> bool {
        self.stream.length().is_none()
    }

    pub fn name(&self) -> &str {
        self.stream.name()
    }

    pub fn describe(&self) -> String {
        format!("{}, {}", self.stream.name(), self.geometry)
    }

    pub fn next(
        &mut self,
        wait: &Wait<'_>,
        show: &mut dyn FnMut(Sight<'_>),
    ) -> Result<Next, SourceError> {
        let name = self.stream.name().to_owned();
        let (number, expected) = (self.number, self.bytes.len());
        let cut = |got| {
            Err(SourceError::Cut {
                name: name.clone(),
                number,
                expected,
                got,
            })
        };
        match line(&mut self.stream, wait, FRAME)? {
            Line::Text(_) => {}
            Line::Stopped => return Ok(Next::Nothing),
            Line::Ended(0) if number == 0 => return Err(SourceError::Empty { name }),
            Line::Ended(0) => return Ok(Next::End),
            Line::Ended(_) => return cut(0),
        }
        match self.stream.fill(wait, &mut self.bytes)? {
            Filled::Whole => {}
            Filled::Stopped => return Ok(Next::Nothing),
            Filled::Ended(got) => return cut(got),
        }
        let frame = self.geometry.frame(&self.bytes);
        let frame = frame.map_err(|frame| SourceError::Frame {
            name: name.clone(),
            frame,
        })?;
        show(Sight {
            frame,
            number: self.number,
            image: &name,
            warnings: Vec::new(),
        });
        self.number += 1;
        Ok(Next::Shown)
    }
}

/// Reads a line that begins with `magic`, and no byte beyond it.
fn line(stream: &mut Stream, wait: &Wait<'_>, magic: &'static str) -> Result<Line, SourceError> {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        match stream.fill(wait, &mut byte)? {
            Filled::Whole => {}
            Filled::Ended(_) => return Ok(Line::Ended(bytes.len())),
            Filled::Stopped => return Ok(Line::Stopped),
        }
        if byte == *b"\n" {
            break;
        }
        bytes.push(byte[0]);
        let at = bytes.len() - 1;
        // What is no such stream is told by its first wrong byte, however long its lines are.
        let begins = magic
            .as_bytes()
            .get(at)
            .is_none_or(|magic| *magic == byte[0]);
        if !begins || bytes.len() > LINE {
            return Err(SourceError::Header {
                name: stream.name().to_owned(),
                what: if magic == MAGIC { "header" } else { "frame" },
                expected: format!(
                    "a line that begins with {magic}, as `ffmpeg -f yuv4mpegpipe` writes it; frames without one are \
                     raw:WIDTHxHEIGHT:FORMAT, and pictures go through a folder"
                ),
                got: format!(
                    "{:?}",
                    String::from_utf8_lossy(&bytes[..bytes.len().min(16)])
                ),
            });
        }
    }
    Ok(Line::Text(String::from_utf8_lossy(&bytes).into_owned()))
}

/// What the parameters of a header say.
fn geometry(name: &str, header: &str) -> Result<Geometry, SourceError> {
    let refuse = |what, expected: String, got: &str| SourceError::Header {
        name: name.to_owned(),
        what,
        expected,
        got: format!("{got:?}"),
    };
    let (mut width, mut height, mut colour, mut range) = ("", "", "420", ColorRange::default());
    for parameter in header.split(' ').skip(1) {
        match parameter.as_bytes() {
            [b'W', ..] => width = &parameter[1..],
            [b'H', ..] => height = &parameter[1..],
            [b'C', ..] => colour = &parameter[1..],
            b"XCOLORRANGE=FULL" => range = ColorRange::Full,
            // Rate, proportions, interlacing and comments change no pixel.
            _ => {}
        }
    }
    let format = match colour {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => PixelFormat::I420,
        "mono" => PixelFormat::Grey8,
        other => {
            let expected = "420 or mono of 8 bits; `ffmpeg -pix_fmt yuv420p` converts it";
            return Err(refuse("colour space", expected.into(), other));
        }
    };
    let side = |what, text: &str| {
        let side = text.parse().ok();
        let side = side.filter(|side| (1..=MAX_SIDE).contains(side));
        side.ok_or_else(|| refuse(what, format!("1 to {MAX_SIDE} pixels"), text))
    };
    let (width, height) = (side("width", width)?, side("height", height)?);
    Ok(Geometry {
        format,
        width,
        height,
        stride: width,
        matrix: ColorMatrix::default(),
        range,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_s_parameters_come_in_any_order() {
        let of = |header: &str| geometry("clip.y4m", header);
        let plain = of("YUV4MPEG2 W640 H480 F30:1 Ip A1:1").expect("a header");
        assert_eq!((plain.width, plain.height), (640, 480));
        assert_eq!(plain.format, PixelFormat::I420);
        let full = of("YUV4MPEG2 H3 XCOLORRANGE=FULL Cmono W5").expect("a header");
        assert_eq!(
            (full.format, full.range),
            (PixelFormat::Grey8, ColorRange::Full)
        );
        assert_eq!(full.bytes(), Some(15));
        let odd = of("YUV4MPEG2 W5 H3 C420jpeg").expect("a header");
        assert_eq!(odd.bytes(), Some(15 + 2 * 6));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (header, words) in [
            ("YUV4MPEG2 W640 H480 C444", "colour space: expected 420"),
            ("YUV4MPEG2 W640 H480 C420p10", "420p10"),
            ("YUV4MPEG2 W640", "height: expected 1 to 65535 pixels"),
            ("YUV4MPEG2 W99999999999999999999 H1", "width"),
            ("YUV4MPEG2 W0 H1", "width"),
        ] {
            let error = geometry("clip.y4m", header).expect_err(header);
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.kind(), "header");
        }
    }
}
