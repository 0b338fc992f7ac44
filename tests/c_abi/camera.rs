//! The camera program: raw frames from anywhere, and a V4L2 device, which `tests/c/fake_v4l2.c` plays.
#![allow(missing_docs)]

use image::{RgbImage, imageops::FilterType};
use ocellus_tests::{
    Linked, Run, compile_as_cpp, compile_preload, compile_sources, nv12, photo, run_preloaded,
    run_program, run_with_input, source, yu12, yuyv,
};
use std::{env, fs, path::PathBuf, process::Command, thread};
use tempfile::TempDir;

const SIZE: &str = "96x64";
const LABELS: [&str; 3] = ["a cat", "a cup of coffee", "a rocket"];
const DEVICE: &str = "/dev/fake-video";

/// The program, the device, and three pictures that tell their answers apart.
struct Camera {
    folder: TempDir,
    program: PathBuf,
    device: PathBuf,
    pictures: Vec<RgbImage>,
}

impl Camera {
    fn new(linked: Linked) -> Camera {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sources = [source("camera"), source("v4l2")];
        let program = compile_sources(&[&sources[0], &sources[1]], linked, folder.path());
        let pictures = ["chelsea.jpg", "coffee.jpg", "rocket.jpg"].map(|name| {
            let picture = image::open(photo(name)).expect("a photo");
            let small = picture.resize_exact(96, 64, FilterType::Triangle);
            small.to_rgb8()
        });
        Camera {
            device: compile_preload("fake_v4l2", folder.path()),
            pictures: pictures.to_vec(),
            folder,
            program,
        }
    }

    /// The pictures as a file of frames. A multi-planar format is the single-planar one in pieces.
    fn frames(&self, fourcc: &str) -> String {
        let pixels = match fourcc {
            "NV12" | "NM12" => nv12,
            "YU12" | "YM12" => yu12,
            "YUYV" => yuyv,
            "RGB3" => |rgb: &RgbImage| rgb.as_raw().clone(),
            other => panic!("{other}"),
        };
        let path = self.folder.path().join(fourcc);
        let bytes: Vec<u8> = self.pictures.iter().flat_map(pixels).collect();
        fs::write(&path, bytes).expect("a file");
        path.display().to_string()
    }

    /// Frames from a file.
    fn raw(&self, fourcc: &str) -> Run {
        let file = self.frames(fourcc);
        run_program(&[], &self.program, &raw_call(&file, fourcc))
    }

    /// Frames of the device that `variables` describe.
    fn stream(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut call = vec!["--device", DEVICE, "--resolution", "112"];
        call.extend(arguments);
        call.extend(LABELS);
        let mut all = vec![
            ("FAKE_V4L2_PATH", DEVICE),
            ("FAKE_V4L2_SIZE", SIZE),
            ("FAKE_V4L2_BURST", "1"),
        ];
        all.extend(variables);
        run_preloaded(&self.device, &self.program, &call, &all)
    }
}

fn raw_call<'a>(file: &'a str, fourcc: &'a str) -> Vec<&'a str> {
    let mut call = vec!["--raw", file, "--format", fourcc, "--size", SIZE];
    call.extend(["--resolution", "112", "--every"]);
    call.extend(LABELS);
    call
}

/// The number, the answer and the count of dropped frames of each line.
#[track_caller]
fn lines(run: &Run) -> Vec<(usize, String, usize)> {
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let number = |word: &str| word.parse().expect("a number");
    let line = |line: &str| {
        let (number_of, rest) = line.split_once(": ").expect("a number");
        let mut words = rest.split(", ");
        let answer = words.next().expect("an answer").to_owned();
        let us = words.next().and_then(|word| word.strip_suffix(" us"));
        assert!(us.is_some_and(|us| number(us) > 0), "{line}");
        let dropped = words.next().and_then(|word| word.strip_suffix(" dropped"));
        let frame = number_of.strip_prefix("frame ").expect("a frame");
        (number(frame), answer, number(dropped.expect("a count")))
    };
    run.stdout.lines().map(line).collect()
}

/// The number and the answer of each frame.
#[track_caller]
fn answers(run: &Run) -> Vec<(usize, String)> {
    let lines = lines(run).into_iter();
    lines.map(|(number, answer, _)| (number, answer)).collect()
}

/// What a device says of these frames, given what a file of three says.
fn in_a_circle(raw: &[(usize, String)], frames: &[usize]) -> Vec<(usize, String)> {
    let answer = |&frame: &usize| (frame, raw[frame % raw.len()].1.clone());
    frames.iter().map(answer).collect()
}

#[test]
fn frames_are_the_same_from_a_file_a_fifo_and_standard_input() {
    for linked in [Linked::Dynamically, Linked::Statically] {
        let camera = Camera::new(linked);
        let file = camera.frames("YU12");
        let wanted = answers(&camera.raw("YU12"));
        assert_eq!(wanted.len(), 3);
        for ((_, answer), label) in wanted.iter().zip(LABELS) {
            assert!(answer.starts_with(label), "{wanted:?}");
        }
        let bytes = fs::read(&file).expect("frames");
        let input = run_with_input(&camera.program, &raw_call("-", "YU12"), &bytes);
        assert_eq!(answers(&input), wanted);

        let fifo = camera.folder.path().join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status();
        assert!(made.expect("mkfifo").success());
        let name = fifo.display().to_string();
        let writer = thread::spawn(move || fs::write(fifo, bytes));
        let run = run_program(&[], &camera.program, &raw_call(&name, "YU12"));
        writer.join().expect("no panic").expect("a reader");
        assert_eq!(answers(&run), wanted);
    }
}

#[test]
fn bad_frames_and_calls_say_so() {
    let camera = Camera::new(Linked::Dynamically);
    let run = run_with_input(&camera.program, &raw_call("-", "NV12"), &[0; 100]);
    run.fails(1, &["standard input", "within a frame", "100 of 9216"]);
    let run = run_program(&[], &camera.program, &raw_call("no/such/file", "NV12"));
    run.fails(1, &["no/such/file: open", "errno 2"]);
    let run = run_program(&[], &camera.program, &raw_call("-", "MJPG"));
    run.fails(2, &["MJPG"]);
    let run = run_program(&[], &camera.program, &["--raw", "-"]);
    run.fails(2, &["--format"]);
    let run = run_program(&[], &camera.program, &["--device", "/dev/null", "a cat"]);
    run.fails(1, &["/dev/null: VIDIOC_QUERYCAP", "errno "]);
    // Of unknown words only: said by the library.
    let mut call = raw_call("-", "NV12");
    call.truncate(9);
    call.push("\u{1}");
    run_program(&[], &camera.program, &call).fails(1, &["labels: OCELLUS_E_LABELS"]);
}

#[test]
fn a_device_answers_as_its_frames_do_from_a_file() {
    let camera = Camera::new(Linked::Dynamically);
    // The format that is chosen, what the device lists, the kind of planes, padding of rows.
    for (fourcc, listed, multi, pad) in [
        ("NV12", "MJPG,YUYV,NV12", "0", "0"),
        ("NV12", "NV12", "1", "32"),
        ("NM12", "NM12", "1", "16"),
        ("YU12", "YUYV,YU12", "0", "32"),
        ("YM12", "YM12", "1", "64"),
        ("YUYV", "MJPG,YUYV", "0", "10"),
        ("RGB3", "RGB3", "0", "6"),
    ] {
        let file = camera.frames(fourcc);
        let in_one = fourcc.replace('M', if fourcc == "NM12" { "V" } else { "U" });
        let raw = answers(&camera.raw(&in_one));
        let wanted = in_a_circle(&raw, &[0, 1, 2, 3]);
        // How frames are mapped does not depend on what is in them: both ways once, and the other formats by one each.
        let ways = match (fourcc, multi) {
            ("NV12", _) => &["mmap", "dmabuf"][..],
            (_, "1") => &["dmabuf"],
            _ => &["mmap"],
        };
        for &io in ways {
            let variables = [
                ("FAKE_V4L2_FILE", file.as_str()),
                ("FAKE_V4L2_FORMATS", listed),
                ("FAKE_V4L2_MULTI", multi),
                ("FAKE_V4L2_PAD", pad),
            ];
            let run = camera.stream(&["--every", "--io", io, "--frames", "4"], &variables);
            assert_eq!(answers(&run), wanted, "{fourcc} {io}");
        }
    }
}

#[test]
fn the_newest_whole_frame_wins() {
    let camera = Camera::new(Linked::Dynamically);
    let file = camera.frames("NV12");
    let raw = answers(&camera.raw("NV12"));
    let mut variables = vec![
        ("FAKE_V4L2_FILE", file.as_str()),
        ("FAKE_V4L2_FORMATS", "NV12"),
        ("FAKE_V4L2_BURST", "2"),
    ];
    for io in ["mmap", "dmabuf"] {
        let run = camera.stream(&["--every", "--io", io, "--frames", "3"], &variables);
        assert_eq!(answers(&run), in_a_circle(&raw, &[1, 3, 5]));
    }
    variables.push(("FAKE_V4L2_SPOILT", "3"));
    let run = camera.stream(&["--every", "--frames", "3"], &variables);
    assert_eq!(answers(&run), in_a_circle(&raw, &[1, 2, 5]));
}

#[test]
fn a_loop_that_does_not_wait_loses_no_frame_without_saying_so() {
    let camera = Camera::new(Linked::Dynamically);
    let file = camera.frames("NV12");
    let raw = answers(&camera.raw("NV12"));
    // Every frame of the device is submitted: those up to an answer were answered or dropped.
    let check = |lines: &[(usize, String, usize)]| {
        let mut seen = 0;
        for (number, answer, dropped) in lines {
            seen += dropped + 1;
            assert_eq!(*number + 1, seen, "{lines:?}");
            assert_eq!(*answer, raw[number % raw.len()].1, "{lines:?}");
        }
    };
    let variables = [
        ("FAKE_V4L2_FILE", file.as_str()),
        ("FAKE_V4L2_FORMATS", "NV12"),
    ];
    for io in ["mmap", "dmabuf"] {
        let run = camera.stream(&["--io", io, "--frames", "6"], &variables);
        check(&lines(&run));
        assert_eq!(lines(&run).len(), 6);
        // The device is faster than any encoder.
        assert!(lines(&run).iter().any(|line| line.2 > 0), "{run:?}");
    }
    // Of a pipe, the last frame is always answered.
    let bytes = fs::read(&file).expect("frames").repeat(20);
    let mut call = raw_call("-", "NV12");
    call.retain(|word| *word != "--every");
    let got = lines(&run_with_input(&camera.program, &call, &bytes));
    check(&got);
    assert_eq!(got.last().map(|line| line.0), Some(59));
}

#[test]
fn every_failure_of_the_device_ends_with_its_name_and_number() {
    let camera = Camera::new(Linked::Dynamically);
    let file = camera.frames("NV12");
    let fail = |io: &str, failure: &str| {
        let variables = [
            ("FAKE_V4L2_FILE", file.as_str()),
            ("FAKE_V4L2_FORMATS", "NV12"),
            ("FAKE_V4L2_FAIL", failure),
        ];
        camera.stream(&["--every", "--io", io, "--frames", "2"], &variables)
    };
    let wanted = in_a_circle(&answers(&camera.raw("NV12")), &[0, 1]);
    for (call, nth) in [
        ("VIDIOC_QUERYCAP", 1),
        ("VIDIOC_ENUM_FMT", 1),
        ("VIDIOC_G_FMT", 1),
        ("VIDIOC_S_FMT", 1),
        ("VIDIOC_REQBUFS", 1),
        ("VIDIOC_QUERYBUF", 2),
        ("VIDIOC_QBUF", 1),
        ("VIDIOC_QBUF", 4),
        ("VIDIOC_DQBUF", 1),
        ("VIDIOC_DQBUF", 3),
        ("VIDIOC_EXPBUF", 2),
        ("VIDIOC_STREAMON", 1),
        ("VIDIOC_STREAMOFF", 1),
    ] {
        let run = fail("dmabuf", &format!("{call}:5:{nth}"));
        run.fails(1, &[&format!("{DEVICE}: {call}: "), "(errno 5)"]);
        let run = fail("dmabuf", &format!("{call}:4:{nth}"));
        assert_eq!(answers(&run), wanted, "{call}, interrupted");
    }
    fail("mmap", "open:16:1").fails(1, &[&format!("{DEVICE}: open: "), "(errno 16)"]);
    fail("mmap", "mmap:12:3").fails(1, &[&format!("{DEVICE}: mmap: "), "(errno 12)"]);
}

#[test]
fn a_device_that_cannot_serve_is_told_from_one_that_does_not() {
    let camera = Camera::new(Linked::Dynamically);
    let file = camera.frames("NV12");
    let stream = |formats, burst, arguments: &[&str]| {
        let variables = [
            ("FAKE_V4L2_FILE", file.as_str()),
            ("FAKE_V4L2_FORMATS", formats),
            ("FAKE_V4L2_BURST", burst),
        ];
        camera.stream(arguments, &variables)
    };
    stream("MJPG,BA81", "1", &[]).fails(1, &["none of the formats"]);
    let run = stream("MJPG,NV12", "1", &["--format", "YUYV"]);
    run.fails(1, &["asked for YUYV, got MJPG"]);
    stream("NV12", "0", &[]).fails(1, &["no frame came for 5000 ms"]);
}

#[test]
fn sigterm_ends_it_cleanly() {
    if env::var_os("OCELLUS_RUNNER").is_some() {
        // `timeout` is the host's; the host's run has seen the same code.
        return;
    }
    let camera = Camera::new(Linked::Dynamically);
    let file = camera.frames("NV12");
    let preload = format!("LD_PRELOAD={}", camera.device.display());
    let timeout = ["timeout", "--preserve-status", "-s", "TERM", "1"];
    let settings = [
        format!("FAKE_V4L2_FILE={file}"),
        format!("FAKE_V4L2_PATH={DEVICE}"),
        format!("FAKE_V4L2_SIZE={SIZE}"),
        "FAKE_V4L2_FORMATS=NV12".to_owned(),
    ];
    for burst in ["FAKE_V4L2_BURST=0", "FAKE_V4L2_BURST=1"] {
        let mut before = timeout.to_vec();
        before.extend(["env", &preload, burst]);
        before.extend(settings.iter().map(String::as_str));
        let call = ["--device", DEVICE, "--resolution", "112", "a cat"];
        let run = run_program(&before, &camera.program, &call);
        assert_eq!(answers(&run).is_empty(), burst.ends_with('0'));
    }
    // Before a fifo has a writer, and between frames of a pipe that stays open.
    let fifo = camera.folder.path().join("fifo").display().to_string();
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    let run = run_program(&timeout, &camera.program, &raw_call(&fifo, "NV12"));
    assert!(answers(&run).is_empty());
    let run = Command::new("sh")
        .args([
            "-c",
            "sleep 3 | timeout --preserve-status -s TERM 1 \"$@\"",
            "sh",
        ])
        .arg(&camera.program)
        .args(raw_call("-", "NV12"))
        .output()
        .expect("a shell");
    assert_eq!((run.status.code(), run.stderr.len()), (Some(0), 0));
}

#[test]
fn it_is_also_cpp() {
    if env::var_os("OCELLUS_CC").is_some() {
        // A C++ compiler for the target is not asked for; the host's has read the same files.
        return;
    }
    for name in ["camera", "v4l2"] {
        compile_as_cpp(name);
    }
}
