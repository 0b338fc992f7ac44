//! One stage of the way from a camera frame to the encoder's input, some times over, to be counted.
//!
//! `stage_counts FORMAT WIDTH HEIGHT STAGE RUNS`: format nv12, yuyv or rgb; stage read, entropy, 112, 160 or 224. The
//! difference between two numbers of runs is the stage without what surrounds it.

use ocellus_vision::{CropMode, Frame, Intermediate, PixelFormat, Plane, View, Workspace, views};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [format, width, height, stage, runs] = &arguments[..] else {
        return Err("FORMAT WIDTH HEIGHT STAGE RUNS".into());
    };
    let (width, height): (usize, usize) = (width.parse()?, height.parse()?);
    let bytes: Vec<u8> = (0..3 * width * height)
        .map(|at| (at * at % 251) as u8)
        .collect();
    let plane = |from: usize, stride| Plane {
        data: &bytes[from..],
        stride,
    };
    let frame = match &format[..] {
        "nv12" => Frame::new(
            PixelFormat::Nv12,
            width,
            height,
            &[plane(0, width), plane(width * height, width)],
        )?,
        "yuyv" => Frame::new(PixelFormat::Yuyv, width, height, &[plane(0, 2 * width)])?,
        _ => Frame::rgb(width, height, &bytes)?,
    };
    let view: View = views(CropMode::Centre, width, height, 0.875)[0];
    let (mut seen, mut space, mut resized) =
        (Intermediate::default(), Workspace::default(), Vec::new());
    seen.read_again(&frame, &view, &mut space);
    for _ in 0..runs.parse()? {
        match &stage[..] {
            "read" => seen.read_again(&frame, &view, &mut space),
            "entropy" => drop(std::hint::black_box(seen.entropy_bits_in(&mut space))),
            side => seen.resize_into(side.parse()?, &mut resized, &mut space),
        }
    }
    Ok(())
}
