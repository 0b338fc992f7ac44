//! Times each stage from file or camera planes to the encoder's input, on this machine.
//!
//! `cargo run --release -p ocellus-vision --example stages -- PHOTO [RUNS]` decodes the photo, then
//! treats it as an RGB frame and, when its sides are even, as the same frame in NV12. It prints the
//! best of the runs: other programs can only add to it.

use std::time::{Duration, Instant};

use ocellus_vision::{
    CropMode, DecodeLimits, Frame, Intermediate, PixelFormat, Plane, decode, normalize, views,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("pass a picture file")?;
    let runs = arguments.next().map_or(Ok(10), |runs| runs.parse())?;
    let file = std::fs::read(path)?;
    let picture = decode(&file, &DecodeLimits::default())?;
    println!(
        "{}x{}, best of {runs}, microseconds",
        picture.width, picture.height
    );
    println!(
        "{:<24}{:>10}",
        "decode",
        best(runs, || decode(&file, &DecodeLimits::default()))
    );

    stages("rgb", &picture.frame()?, runs);
    let (width, height) = (picture.width, picture.height);
    // The values don't matter for the time, only their number.
    let (luma, chroma) = picture.rgb.split_at(width * height);
    let planes = [
        Plane {
            data: luma,
            stride: width,
        },
        Plane {
            data: chroma,
            stride: width.next_multiple_of(2),
        },
    ];
    stages(
        "nv12",
        &Frame::new(PixelFormat::Nv12, width, height, &planes)?,
        runs,
    );
    Ok(())
}

fn stages(name: &str, frame: &Frame<'_>, runs: u32) {
    for mode in [CropMode::Centre, CropMode::Squash] {
        let view = views(mode, frame.width(), frame.height(), 0.875)[0];
        println!(
            "{:<24}{:>10}",
            format!("{name} {mode} read"),
            best(runs, || Intermediate::read(frame, &view))
        );
        let seen = Intermediate::read(frame, &view);
        println!(
            "{:<24}{:>10}",
            format!("{name} {mode} entropy"),
            best(runs, || seen.entropy_bits())
        );
        for resolution in [112, 160, 224] {
            let time = best(runs, || {
                normalize(&seen.resize(resolution), resolution, [127.0; 3], [128.0; 3])
            });
            println!(
                "{:<24}{time:>10}",
                format!("{name} {mode} resize {resolution}")
            );
        }
    }
}

fn best<T>(runs: u32, mut stage: impl FnMut() -> T) -> u128 {
    let time = |_| {
        let start = Instant::now();
        std::hint::black_box(stage());
        start.elapsed()
    };
    (0..runs)
        .map(time)
        .min()
        .unwrap_or(Duration::ZERO)
        .as_micros()
}
