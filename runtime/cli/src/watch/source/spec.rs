//! What `--source` says: a device, a file, standard input, a folder.

use ocellus::vision::{ColorMatrix, ColorRange, Frame, MAX_SIDE, PixelFormat};
use std::{
    fmt,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// What `--source` says.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// A V4L2 device.
    Camera(PathBuf),
    /// A YUV4MPEG2 stream.
    Y4m(Input),
    /// Frames without a header.
    Raw(Geometry, Input),
    /// A folder of pictures.
    Folder(PathBuf),
}

/// What a stream is read from.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A file or a fifo.
    File(PathBuf),
    /// Standard input.
    Standard,
}

impl Input {
    fn of(text: &str) -> Input {
        match text {
            "" | "-" => Input::Standard,
            path => Input::File(path.into()),
        }
    }

    /// Its name in reports.
    pub fn name(&self) -> String {
        match self {
            Input::File(path) => path.display().to_string(),
            Input::Standard => "-".to_owned(),
        }
    }
}

/// How the bytes of a frame without a header are pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Geometry {
    /// The pixels.
    pub format: PixelFormat,
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes from one row of the first plane to the next.
    pub stride: usize,
    /// How luma was made.
    pub matrix: ColorMatrix,
    /// What black and white are.
    pub range: ColorRange,
}

impl Geometry {
    /// Bytes of a frame.
    pub fn bytes(&self) -> Option<usize> {
        self.format
            .contiguous_bytes(self.width, self.height, self.stride)
    }

    /// A frame of these bytes.
    pub fn frame<'a>(&self, bytes: &'a [u8]) -> Result<Frame<'a>, ocellus::vision::FrameError> {
        let (width, height) = (self.width, self.height);
        let frame = Frame::contiguous(self.format, width, height, self.stride, bytes)?;
        Ok(frame.with_colors(self.matrix, self.range))
    }
}

impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Geometry {
            format,
            width,
            height,
            stride,
            ..
        } = self;
        write!(f, "{width}x{height} {format}, stride {stride}")
    }
}

/// The form of a raw source, for messages.
const RAW: &str =
    "raw:WIDTHxHEIGHT:FORMAT[:stride=BYTES][:matrix=bt601|bt709][:range=limited|full][:FILE]";

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Spec, String> {
        if let Some(rest) = text.strip_prefix("raw:") {
            return raw(rest).map_err(|what| format!("{what}; the form is {RAW}"));
        }
        if text == "-" {
            return Ok(Spec::Y4m(Input::Standard));
        }
        let path = Path::new(text);
        Ok(match std::fs::metadata(path).map(|data| data.file_type()) {
            Ok(kind) if kind.is_dir() => Spec::Folder(path.into()),
            Ok(kind) if kind.is_char_device() => Spec::Camera(path.into()),
            // A camera that is not connected.
            Err(_) if path.starts_with("/dev") => Spec::Camera(path.into()),
            _ => Spec::Y4m(Input::File(path.into())),
        })
    }
}

fn raw(text: &str) -> Result<Spec, String> {
    let (size, rest) = text.split_once(':').unwrap_or((text, ""));
    let (format, mut rest) = rest.split_once(':').unwrap_or((rest, ""));
    let Size(size) = size.parse()?;
    let (width, height) = size.ok_or("no width and height")?;
    let (width, height) = (width as usize, height as usize);
    let format = pixel_format(format)?;
    let (mut stride, _) = format.plane_extent(0, width, height);
    let (mut matrix, mut range) = (ColorMatrix::default(), ColorRange::default());
    while let Some((key, value)) = rest.split(':').next().and_then(|word| word.split_once('=')) {
        match (key, value) {
            ("stride", bytes) => {
                let bytes = bytes.parse().ok();
                stride = bytes.ok_or_else(|| format!("stride: expected bytes, got {value:?}"))?;
            }
            ("matrix", "bt601") => matrix = ColorMatrix::Bt601,
            ("matrix", "bt709") => matrix = ColorMatrix::Bt709,
            ("range", "limited") => range = ColorRange::Limited,
            ("range", "full") => range = ColorRange::Full,
            // A file's name may hold the sign too.
            _ => break,
        }
        rest = rest.split_once(':').map_or("", |(_, rest)| rest);
    }
    let geometry = Geometry {
        format,
        width,
        height,
        stride,
        matrix,
        range,
    };
    Ok(Spec::Raw(geometry, Input::of(rest)))
}

/// A format by its name or its V4L2 code.
fn pixel_format(text: &str) -> Result<PixelFormat, String> {
    let code = text.to_ascii_uppercase().into_bytes();
    let by_code = <[u8; 4]>::try_from(code)
        .ok()
        .and_then(PixelFormat::from_fourcc);
    match by_code {
        Some(format) => Ok(format),
        None => text
            .parse()
            .map_err(|error: ocellus::vision::UnknownPixelFormat| error.to_string()),
    }
}

/// About how large frames should be; `None` leaves it to the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size(pub Option<(u32, u32)>);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        if text == "camera" {
            return Ok(Size(None));
        }
        let side = |text: &str| {
            let side = text.parse().ok();
            side.filter(|side| (1..=MAX_SIDE as u32).contains(side))
        };
        let sides = text.split_once('x').and_then(|(width, height)| {
            let (width, height) = (side(width)?, side(height)?);
            Some((width, height))
        });
        match sides {
            Some(sides) => Ok(Size(Some(sides))),
            None => Err(format!(
                "expected WIDTHxHEIGHT of 1 to {MAX_SIDE} each, such as 640x480, got {text:?}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(text: &str) -> (Geometry, Input) {
        match text.parse() {
            Ok(Spec::Raw(geometry, input)) => (geometry, input),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_raw_source_says_its_geometry_and_its_file() {
        let (full, input) = geometry("raw:1920x1080:i420:stride=1984:range=full:matrix=bt709");
        assert_eq!(input, Input::Standard);
        assert_eq!((full.width, full.height, full.stride), (1920, 1080, 1984));
        assert_eq!(full.format, PixelFormat::I420);
        assert_eq!(
            (full.matrix, full.range),
            (ColorMatrix::Bt709, ColorRange::Full)
        );
        let (short, input) = geometry("raw:640x480:YUYV:-");
        assert_eq!((short.stride, input), (1280, Input::Standard));
        assert_eq!(geometry("raw:640x480:yu12").0.format, PixelFormat::I420);
        for (text, file) in [
            ("raw:4x4:nv12:a.yuv", "a.yuv"),
            ("raw:4x4:nv12:stride=8:a:b=c", "a:b=c"),
            ("raw:4x4:nv12:x=y.yuv", "x=y.yuv"),
        ] {
            assert_eq!(geometry(text).1, Input::File(file.into()), "{text}");
        }
    }

    #[test]
    fn a_raw_source_that_is_none_says_what_is_missing() {
        for (text, words) in [
            ("raw:", "640x480"),
            ("raw:640:nv12", "640x480"),
            ("raw:0x4:nv12", "1 to 65535"),
            ("raw:640x480", "no pixel format"),
            ("raw:640x480:mjpg", "mjpg"),
            ("raw:640x480:nv12:stride=-1", "expected bytes"),
        ] {
            let error = text.parse::<Spec>().expect_err(text);
            assert!(error.contains(words) && error.contains(RAW), "{error}");
        }
    }

    #[test]
    fn what_a_path_is_decides_what_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |path: &str| path.parse::<Spec>().expect("any path");
        assert_eq!(of("-"), Spec::Y4m(Input::Standard));
        assert_eq!(of("/dev/no-video"), Spec::Camera("/dev/no-video".into()));
        assert_eq!(of("/dev/null"), Spec::Camera("/dev/null".into()));
        assert_eq!(
            of("no/clip.y4m"),
            Spec::Y4m(Input::File("no/clip.y4m".into()))
        );
        let path = folder.path().display().to_string();
        assert_eq!(of(&path), Spec::Folder(folder.path().into()));
    }
}
