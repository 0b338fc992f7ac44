//! `ocellus watch` on a V4L2 device, which `tests/c/fake_v4l2.c` plays.
#![allow(missing_docs)]

use ocellus_tests::{CLIP_LABELS, Clip, Run, compile_preload, program, run_preloaded};
use serde_json::Value;
use std::{env, fs, path::PathBuf};
use tempfile::TempDir;

const DEVICE: &str = "/dev/fake-video";

/// The device's library and the clip.
struct Camera {
    folder: TempDir,
    library: PathBuf,
    clip: Clip,
}

impl Camera {
    fn new() -> Camera {
        let folder = tempfile::tempdir().expect("a folder");
        Camera {
            library: compile_preload("fake_v4l2", folder.path()),
            folder,
            clip: Clip::new(),
        }
    }

    fn frames(&self, fourcc: &str) -> String {
        let path = self.folder.path().join(fourcc);
        fs::write(&path, self.clip.raw(fourcc)).expect("a file");
        path.display().to_string()
    }

    /// Watches the device that `variables` describe.
    fn watch(&self, more: &[&str], variables: &[(&str, &str)]) -> Run {
        let labels = CLIP_LABELS.join(",");
        let mut call = vec!["watch", "--source", DEVICE, "--labels", &labels];
        call.extend(["--resolution", "112", "--json"]);
        call.extend(more);
        let mut all = vec![
            ("FAKE_V4L2_PATH", DEVICE),
            ("FAKE_V4L2_SIZE", "96x64"),
            ("FAKE_V4L2_BURST", "1"),
        ];
        all.extend(variables);
        let program = PathBuf::from(program().pop().expect("a program"));
        run_preloaded(&self.library, &program, &call, &all)
    }
}

/// The number and the best label of each answer.
#[track_caller]
fn answers(run: &Run) -> Vec<(u64, String)> {
    assert_eq!(run.code, 0, "{run:?}");
    let lines = run.json();
    let answers = lines.iter().filter(|line| line.get("error").is_none());
    answers
        .map(|line| {
            let best = line["labels"][0]["label"].as_str().expect("a label");
            (line["frame"].as_u64().expect("a number"), best.to_owned())
        })
        .collect()
}

/// How many of a test's cases are run: all, and on an emulated core, where each takes seconds, the first ones.
fn few(first: usize) -> usize {
    match env::var_os("OCELLUS_RUNNER") {
        Some(_) => first,
        None => usize::MAX,
    }
}

/// Those of frames with these numbers.
fn wanted(numbers: &[u64]) -> Vec<(u64, String)> {
    let answer = |number: &u64| (*number, CLIP_LABELS[*number as usize % 3].to_owned());
    numbers.iter().map(answer).collect()
}

#[test]
fn a_camera_is_watched_in_every_format_and_kind_of_plane() {
    let camera = Camera::new();
    // The format that is chosen, what the device lists, the kind of planes, padding of rows.
    let cameras = [
        ("NV12", "MJPG,YUYV,NV12", "0", "0"),
        ("NM12", "NM12", "1", "16"),
        ("YUYV", "MJPG,YUYV", "0", "10"),
        ("NV12", "NV12", "1", "32"),
        ("YU12", "YUYV,YU12", "0", "32"),
        ("YM12", "YM12", "1", "64"),
        ("RGB3", "RGB3", "0", "6"),
    ];
    for (fourcc, listed, multi, pad) in cameras.into_iter().take(few(3)) {
        let file = camera.frames(fourcc);
        let variables = [
            ("FAKE_V4L2_FILE", file.as_str()),
            ("FAKE_V4L2_FORMATS", listed),
            ("FAKE_V4L2_MULTI", multi),
            ("FAKE_V4L2_PAD", pad),
        ];
        let run = camera.watch(&["--every", "--frames", "4"], &variables);
        assert_eq!(answers(&run), wanted(&[0, 1, 2, 3]), "{fourcc}");
    }
}

#[test]
fn the_newest_frame_wins_and_none_is_left_out_unsaid() {
    let camera = Camera::new();
    let file = camera.frames("NV12");
    let variables = [
        ("FAKE_V4L2_FILE", file.as_str()),
        ("FAKE_V4L2_FORMATS", "NV12"),
        ("FAKE_V4L2_BURST", "2"),
        ("FAKE_V4L2_SPOILT", "3"),
    ];
    let run = camera.watch(&["--frames", "5"], &variables);
    assert_eq!(answers(&run).len(), 5);
    let mut seen = 0;
    for line in run.json() {
        let number = |field: &str| line[field].as_u64().expect("a number");
        seen += number("dropped") + 1;
        assert_eq!(number("frame") + 1, seen, "{line}");
        // Number 0 is the device's second frame, the newer one of the first two.
        let shown = CLIP_LABELS[seen as usize % 3];
        assert_eq!(line["labels"][0]["label"], shown, "{line}");
    }
    assert!(
        run.json().iter().any(|line| line["dropped"] != 0),
        "{run:?}"
    );
}

#[test]
fn a_camera_that_was_unplugged_comes_back() {
    let camera = Camera::new();
    let file = camera.frames("NV12");
    for (failure, words) in [
        ("VIDIOC_DQBUF:19:3", "it was unplugged"),
        ("VIDIOC_QBUF:5:6", "VIDIOC_QBUF"),
    ] {
        let variables = [
            ("FAKE_V4L2_FILE", file.as_str()),
            ("FAKE_V4L2_FORMATS", "NV12"),
            ("FAKE_V4L2_FAIL", failure),
        ];
        let run = camera.watch(&["--every", "--frames", "5"], &variables);
        assert_eq!(answers(&run).len(), 5, "{run:?}");
        let lost: Vec<Value> = run
            .json()
            .into_iter()
            .filter(|line| line["lost"] == true)
            .collect();
        assert_eq!(lost.len(), 1, "{run:?}");
        assert_eq!(lost[0]["image"], DEVICE);
        assert_eq!(lost[0]["error"]["kind"], "camera");
        let message = lost[0]["error"]["message"].as_str().expect("words");
        assert!(message.contains(words), "{message}");
        assert!(run.stderr.contains("source lost 1 times"), "{run:?}");
    }
}

#[test]
fn a_camera_that_is_not_there_is_an_error_or_waited_for() {
    let camera = Camera::new();
    let file = camera.frames("NV12");
    let variables = [
        ("FAKE_V4L2_FILE", file.as_str()),
        ("FAKE_V4L2_FORMATS", "NV12"),
        ("FAKE_V4L2_FAIL", "open:2:1"),
    ];
    let run = camera.watch(&["--frames", "1"], &variables);
    run.fails(1, &[&format!("{DEVICE}: open: "), "connect the camera"]);
    let run = camera.watch(&["--frames", "1", "--wait"], &variables);
    assert_eq!(answers(&run).len(), 1, "{run:?}");
}

#[test]
fn what_a_camera_cannot_do_is_said_at_once() {
    let camera = Camera::new();
    let file = camera.frames("NV12");
    let watch = |formats: &str, failure: &str| {
        let variables = [
            ("FAKE_V4L2_FILE", file.as_str()),
            ("FAKE_V4L2_FORMATS", formats),
            ("FAKE_V4L2_FAIL", failure),
        ];
        camera.watch(&["--every", "--frames", "2"], &variables)
    };
    watch("MJPG,pRAA", "").fails(1, &[DEVICE, "NV12", "MJPG, pRAA", "rpicam-vid"]);
    for (call, nth) in [
        ("VIDIOC_QUERYCAP", 1),
        ("VIDIOC_ENUM_FMT", 1),
        ("VIDIOC_G_FMT", 1),
        ("VIDIOC_S_FMT", 1),
        ("VIDIOC_REQBUFS", 1),
        ("VIDIOC_QUERYBUF", 2),
        ("VIDIOC_QBUF", 2),
        ("VIDIOC_STREAMON", 1),
        ("mmap", 3),
    ] {
        let run = watch("NV12", &format!("{call}:16:{nth}"));
        run.fails(1, &[&format!("{DEVICE}: {call}: "), "(os error 16)"]);
    }
    let interrupted = [
        "VIDIOC_DQBUF",
        "VIDIOC_S_FMT",
        "VIDIOC_QBUF",
        "VIDIOC_STREAMON",
    ];
    for call in interrupted.into_iter().take(few(1)) {
        let run = watch("NV12", &format!("{call}:4:1"));
        assert_eq!(answers(&run), wanted(&[0, 1]), "{call}, interrupted");
    }
    watch("NV12", "open:16:1").fails(1, &["another program has the camera"]);
}

#[test]
fn a_camera_that_gives_nothing_is_lost() {
    let camera = Camera::new();
    let file = camera.frames("NV12");
    let variables = [
        ("FAKE_V4L2_FILE", file.as_str()),
        ("FAKE_V4L2_FORMATS", "NV12"),
        // Its second start gives frames: a sensor that hung.
        ("FAKE_V4L2_SILENT", "1"),
    ];
    let run = camera.watch(&["--every", "--frames", "1"], &variables);
    assert_eq!(answers(&run).len(), 1, "{run:?}");
    assert!(
        run.stdout.contains("expected a frame within 5 s"),
        "{run:?}"
    );
}
