//! `ocellus watch` on files, pipes and folders: every frame, in order, and what bad input gets.
#![allow(missing_docs)]

use ocellus_tests::{CLIP_LABELS, Clip, Run, board, ocellus, photo, program, run};
use serde_json::Value;
use std::{fs, path::Path, process::Command, thread};

const LABELS: &str = "a cat,a cup of coffee,a rocket";

/// The words of a call, which looks at few pixels and answers in JSON.
fn call<'a>(source: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut call = vec!["watch", "--source", source, "--labels", LABELS];
    call.extend(["--resolution", "112", "--json"]);
    call.extend(more);
    call
}

fn watch(source: &str, more: &[&str]) -> Run {
    ocellus(call(source, more))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("a file");
    path.display().to_string()
}

/// The number, the best label and the scores of each frame of a run that went well.
#[track_caller]
fn answers(run: &Run) -> Vec<(u64, String, Value)> {
    assert_eq!(run.code, 0, "{run:?}");
    let answer = |line: &Value| {
        let best = line["labels"][0]["label"].as_str().expect("a label");
        let number = line["frame"].as_u64().expect("a number");
        (number, best.to_owned(), line["labels"].clone())
    };
    run.json().iter().map(answer).collect()
}

#[test]
fn every_frame_of_a_file_is_answered_whatever_it_is_written_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = Clip::new();
    let y4m = write(folder.path(), "clip.y4m", &clip.y4m());
    let run = watch(&y4m, &[]);
    let wanted = answers(&run);
    let best: Vec<_> = wanted.iter().map(|answer| answer.1.as_str()).collect();
    assert_eq!(best, CLIP_LABELS);
    let numbers: Vec<_> = wanted.iter().map(|answer| answer.0).collect();
    assert_eq!(numbers, [0, 1, 2]);
    assert!(run.stderr.contains("3 frames answered") && run.stderr.contains("0 dropped"));
    for line in run.json() {
        assert_eq!(line["image"], y4m.as_str());
        assert_eq!(
            (&line["dropped"], &line["resolution"]),
            (&0.into(), &112.into())
        );
        assert!(line["timestamp_ms"].as_u64().is_some_and(|ms| ms > 0));
        assert!(
            line["stages_us"]["encode"]
                .as_u64()
                .is_some_and(|us| us > 0)
        );
        for field in [
            "fps",
            "temp_c",
            "throttled",
            "no_match",
            "reason",
            "bundle",
            "seen",
        ] {
            assert!(line.get(field).is_some(), "{field}: {line}");
        }
    }

    let raw = write(folder.path(), "clip.yuv", &clip.raw("YU12"));
    assert_eq!(
        answers(&watch(&format!("raw:96x64:i420:{raw}"), &[])),
        wanted
    );
    let padded = clip.padded(112);
    let input = call("raw:96x64:i420:stride=112", &["--every"]);
    assert_eq!(answers(&run_with(&input, &padded)), wanted);
    assert_eq!(
        answers(&run_with(&call("-", &["--every"]), &clip.y4m())),
        wanted
    );
    let nv12 = call("raw:96x64:NV12:-", &["--every", "--frames", "2"]);
    let two = answers(&run_with(&nv12, &clip.raw("NV12")));
    assert_eq!(two, wanted[..2]);
}

#[test]
fn a_wide_frame_is_seen_to_both_ends_unless_told_otherwise() {
    let seen = |size: &str, pixels: usize, more: &[&str]| {
        let source = format!("raw:{size}:grey8");
        let mut call = call(&source, &["--every"]);
        call.extend(more);
        let grey: Vec<u8> = (0..pixels).map(|at| (at * at / 7) as u8).collect();
        let run = run_with(&call, &grey);
        assert_eq!(run.code, 0, "{run:?}");
        run.json()[0]["seen"].clone()
    };
    let square = |x: f64| serde_json::json!({"x": x, "y": 0.0, "width": 90.0, "height": 90.0});
    assert_eq!(
        seen("160x90", 160 * 90, &[]),
        serde_json::json!([square(0.0), square(70.0)])
    );
    let centre = |seen: Value| seen.as_array().expect("views").len() == 1 && seen[0]["x"] != 0.0;
    assert!(centre(seen("120x90", 120 * 90, &[])), "4:3 is not wide");
    assert!(centre(seen("160x90", 160 * 90, &["--crop", "centre"])));
}

fn run_with(call: &[&str], input: &[u8]) -> Run {
    run(&program(), call, input, &[])
}

#[test]
fn of_a_pipe_the_newest_frame_wins_and_none_is_left_out_unsaid() {
    let frames = Clip::new().raw("YU12").repeat(20);
    let run = run_with(&call("raw:96x64:i420", &[]), &frames);
    let lines = run.json();
    assert_eq!(run.code, 0, "{run:?}");
    let mut seen = 0;
    for line in &lines {
        let number = |field: &str| line[field].as_u64().expect("a number");
        seen += number("dropped") + 1;
        assert_eq!(number("frame") + 1, seen, "{line}");
        let shown = CLIP_LABELS[number("frame") as usize % 3];
        assert_eq!(line["labels"][0]["label"], shown, "{line}");
    }
    assert_eq!(seen, 60, "the last one is always answered");
    assert!(lines.len() < 60, "a pipe is faster than any encoder");
}

#[test]
fn a_fifo_is_waited_for_and_ends_with_its_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    let source = format!("raw:96x64:i420:{}", fifo.display());
    for (spare, code) in [(0, 0), (100, 1)] {
        let mut bytes = Clip::new().raw("YU12");
        bytes.resize(bytes.len() + spare, 0);
        let path = fifo.clone();
        let writer = thread::spawn(move || fs::write(path, bytes));
        let run = watch(&source, &["--every"]);
        writer.join().expect("no panic").expect("a reader");
        assert_eq!(run.code, code, "{run:?}");
        let lines = run.json();
        assert!(
            lines[..3].iter().all(|line| line["labels"].is_array()),
            "{run:?}"
        );
        if spare > 0 {
            let error = &lines[3]["error"];
            assert_eq!(error["kind"], "truncated", "{run:?}");
            let message = error["message"].as_str().expect("words");
            assert!(
                message.contains("frame 3: expected 9216 bytes, got 100"),
                "{message}"
            );
        }
    }
}

#[test]
fn a_folder_is_its_pictures_and_a_bad_one_does_not_stop_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(photo("coffee.jpg"), folder.path().join("a.jpg")).expect("a copy");
    write(folder.path(), "b.png", b"no picture");
    fs::copy(photo("chelsea.jpg"), folder.path().join("c.jpg")).expect("a copy");
    let path = folder.path().display().to_string();
    let run = watch(&path, &[]);
    assert_eq!(run.code, 1, "{run:?}");
    let lines = run.json();
    assert_eq!(lines[0]["labels"][0]["label"], "a cup of coffee");
    assert!(
        lines[0]["image"]
            .as_str()
            .is_some_and(|name| name.ends_with("a.jpg"))
    );
    assert!(
        lines[1]["error"]["kind"].is_string() && lines[1]["frame"] == 1,
        "{run:?}"
    );
    assert_eq!(lines[2]["labels"][0]["label"], "a cat");
    assert_eq!(
        (&lines[2]["frame"], &lines[2]["dropped"]),
        (&2.into(), &0.into())
    );
    assert!(run.stderr.contains("2 frames answered") && run.stderr.contains("1 failed"));
}

#[test]
fn text_is_a_line_for_each_frame() {
    let folder = tempfile::tempdir().expect("a folder");
    let y4m = write(folder.path(), "clip.y4m", &Clip::new().y4m());
    let run = ocellus([
        "watch",
        "--source",
        &y4m,
        "--labels",
        LABELS,
        "--resolution",
        "112",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{run:?}");
    for (line, label) in lines.iter().zip(CLIP_LABELS) {
        assert!(line.contains(label) && line.contains("112 px"), "{line}");
    }
}

#[test]
fn alerts_follow_their_labels_and_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let y4m = write(folder.path(), "clip.y4m", &Clip::new().y4m());
    let on = |hold: &str| -> Vec<bool> {
        let run = watch(&y4m, &["--on", "a cup of coffee>0.2", "--hold", hold]);
        assert_eq!(run.code, 0, "{run:?}");
        let on = |line: &Value| {
            let alert = &line["alerts"][0];
            assert_eq!(alert["label"], "a cup of coffee");
            assert!(
                alert["score"]
                    .as_f64()
                    .is_some_and(|score| (0.0..=1.0).contains(&score))
            );
            alert["on"].as_bool().expect("a verdict")
        };
        run.json().iter().map(on).collect()
    };
    assert_eq!(on("0"), [false, true, false]);
    assert_eq!(on("3600"), [false, true, true]);
    // Where no labels are given, those of the alerts are looked for.
    let run = ocellus([
        "watch",
        "--source",
        &y4m,
        "--on",
        "a cat>0.5",
        "--frames",
        "1",
        "--json",
    ]);
    assert_eq!(answers(&run)[0].1, "a cat");
}

#[test]
fn a_board_that_throttles_is_spared() {
    let folder = tempfile::tempdir().expect("a folder");
    let y4m = write(folder.path(), "clip.y4m", &Clip::new().y4m());
    let hot = board(&[
        ("sys/class/thermal/thermal_zone0/type", "cpu-thermal"),
        ("sys/class/thermal/thermal_zone0/temp", "84250"),
        (
            "sys/class/thermal/cooling_device0/type",
            "thermal-cpufreq-0",
        ),
        ("sys/class/thermal/cooling_device0/cur_state", "2"),
    ]);
    let machine = hot.path().display().to_string();
    let last = |machine: &str| {
        let mut call = vec!["watch", "--source", &y4m, "--labels", LABELS, "--json"];
        call.extend(["--policy", "cascade", "--margin", "1", "--machine", machine]);
        call.extend(["--frames", "2"]);
        ocellus(call).json().pop().expect("an answer")
    };
    let hot = last(&machine);
    assert_eq!(
        (&hot["throttled"], &hot["temp_c"]),
        (&true.into(), &84.25.into()),
        "{hot}"
    );
    assert_eq!(
        (&hot["escalated"], &hot["degraded"]),
        (&false.into(), &true.into()),
        "{hot}"
    );
    let cool = last("no/such/machine");
    assert_eq!(
        (&cool["throttled"], &cool["temp_c"]),
        (&false.into(), &Value::Null)
    );
    assert_eq!(
        (&cool["escalated"], &cool["degraded"]),
        (&true.into(), &false.into()),
        "{cool}"
    );
}

#[test]
fn a_call_that_is_wrong_says_so_before_the_first_frame() {
    for (source, more, words) in [
        (
            "raw:96x64",
            &[][..],
            &["no pixel format", "raw:WIDTHxHEIGHT:FORMAT"][..],
        ),
        ("raw:96:i420", &[], &["640x480", "\"96\""]),
        ("raw:96x64:mjpg", &[], &["mjpg", "nv12"]),
        ("-", &["--size", "640"], &["--size", "640x480"]),
        ("-", &["--on", "a cat"], &["--on", "LABEL>SCORE"]),
        ("-", &["--on", "a cat>1.5"], &["LABEL>SCORE"]),
        (
            "-",
            &["--on", "a dog>0.5"],
            &["a cat, a cup of coffee, a rocket", "\"a dog\""],
        ),
        ("-", &["--on", "a cat>0.5", "--pin", ":low"], &["--pin"]),
        ("-", &["--pin", "17"], &["a --pin for each --on, 0, got 1"]),
        ("-", &["--hold", "soon"], &["--hold", "seconds"]),
        ("-", &["--interval", "1e30"], &["--interval", "seconds"]),
        ("-", &["--frames", "0"], &["--frames"]),
    ] {
        watch(source, more).fails(2, words);
    }
    ocellus(["watch", "--source", "-"]).fails(2, &["no labels"]);
}

#[test]
fn a_source_that_is_wrong_says_what_it_is_instead() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = Clip::new();
    let y4m = clip.y4m();
    let header = |text: &str| write(folder.path(), "header.y4m", text.as_bytes());
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let empty = empty.display().to_string();
    let raw = write(folder.path(), "clip.yuv", &clip.raw("YU12"));
    let picture = photo("chelsea.jpg");
    for (source, words) in [
        ("no/clip.y4m".to_owned(), &["no/clip.y4m: open"][..]),
        (
            picture,
            &["chelsea.jpg: header", "YUV4MPEG2", "raw:WIDTHxHEIGHT"],
        ),
        (header(""), &["ended before the first"]),
        (header("YUV4MPEG2 W96 H64\n"), &["ended before the first"]),
        (empty, &["no pictures"]),
        // A row more or less is another geometry.
        (
            format!("raw:96x65:i420:{raw}"),
            &["multiple of 9408 bytes", "got 27648 bytes"],
        ),
        (format!("raw:96x64:i420:stride=95:{raw}"), &["stride", "95"]),
        (
            format!("raw:60000x60000:rgb24:{raw}"),
            &["at most 536870912", "got 10800000000"],
        ),
        (
            "/dev/no-video".to_owned(),
            &["/dev/no-video: open", "connect the camera"],
        ),
        (
            "/dev/null".to_owned(),
            &["/dev/null: VIDIOC_QUERYCAP", "no camera"],
        ),
    ] {
        let run = watch(&source, &[]);
        run.fails(1, words);
    }
    for (text, words) in [
        ("YUV4MPEG2 W96 H64 C444\n", "expected 420 or mono of 8 bits"),
        ("YUV4MPEG2 W0 H64\n", "width: expected 1 to 65535 pixels"),
        ("YUV4MPEG2 W96 H64\nFRAMX\n", "FRAME"),
    ] {
        watch(&header(text), &[]).fails(1, &[words]);
    }
    // Cut within a frame: what was whole is answered first.
    let cut = write(folder.path(), "cut.y4m", &y4m[..y4m.len() - 1]);
    let run = watch(&cut, &[]);
    run.fails(
        1,
        &[
            "frame 2: expected 9216 bytes, got 9215",
            "\"kind\":\"truncated\"",
        ],
    );
    assert_eq!(run.json().len(), 3, "{run:?}");
    run_with(&call("raw:96x64:i420", &[]), &[0; 100]).fails(1, &["expected 9216 bytes, got 100"]);
    run_with(&call("raw:96x64:i420", &[]), &[]).fails(1, &["ended before the first"]);
}

#[test]
fn a_pin_that_does_not_exist_is_found_before_the_first_frame() {
    let folder = tempfile::tempdir().expect("a folder");
    let y4m = write(folder.path(), "clip.y4m", &Clip::new().y4m());
    for (chip, words) in [
        ("/dev/null", &["--pin 17", "/dev/null"][..]),
        ("/dev/no-gpiochip", &["--pin 17", "/dev/no-gpiochip"]),
    ] {
        let run = watch(&y4m, &["--on", "a cat>0.5", "--pin", "17", "--chip", chip]);
        run.fails(1, words);
        assert!(run.stdout.is_empty(), "{run:?}");
    }
}

#[test]
fn the_manual_names_options_and_fields_that_there_are() {
    let manual = fs::read_to_string("../docs/watch.md").expect("the manual");
    let help = ocellus(["watch", "--help"]).stdout;
    let mut options = 0;
    for line in manual.lines().filter(|line| !line.contains("cargo xtask")) {
        // Other programs have options too.
        let ours = line.split("ocellus watch").skip(1).collect::<String>() + "`";
        let quoted = line.split('`').skip(1).step_by(2);
        let quoted = quoted.filter(|words| words.starts_with("--"));
        for words in quoted.chain([ours.as_str()]) {
            for word in words
                .split([' ', '=', '`'])
                .filter(|word| word.starts_with("--"))
            {
                assert!(help.contains(word), "{word}: {line}");
                options += 1;
            }
        }
    }
    assert!(options > 20, "the manual is read");

    let (_, json) = manual.split_once("## JSON").expect("a part");
    let rows = json.lines().skip_while(|line| !line.starts_with("|---"));
    let fields = rows.skip(1).map_while(|line| line.strip_prefix("| `"));
    let fields: Vec<&str> = fields.filter_map(|row| row.split('`').next()).collect();
    let call = ["--on", "a cat>0.5", "--frames", "1"];
    let line = &watch("data/photos", &call).json()[0];
    assert!(fields.contains(&"alerts"), "{fields:?}");
    for field in fields {
        assert!(line.get(field).is_some(), "{field}: {line}");
    }
}
