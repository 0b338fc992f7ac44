//! Planes by descriptor. A memfd stands for a dma-buf: it is mapped the same way, and has no fence.

use super::*;
use std::{
    ffi::CStr,
    fs::{self, File},
    io::Write,
    os::fd::{AsRawFd, FromRawFd},
};

const WIDTH: usize = 64;
const HEIGHT: usize = 48;
const LUMA: usize = WIDTH * HEIGHT;

fn memory(name: &CStr, bytes: &[u8]) -> File {
    let mut file = unsafe {
        let fd = libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        File::from_raw_fd(fd)
    };
    file.write_all(bytes).expect("memory");
    file
}

fn nv12() -> Vec<u8> {
    (0..LUMA * 3 / 2).map(|at| (at % 249) as u8).collect()
}

/// A plane in a descriptor.
fn plane(fd: i32, offset: usize, size: usize) -> ocellus_plane {
    ocellus_plane {
        data: ptr::null(),
        offset,
        stride: WIDTH,
        size,
        fd,
    }
}

fn frame(planes: &[ocellus_plane]) -> ocellus_frame {
    let mut frame = new_frame(b"NV12", WIDTH as u32, HEIGHT as u32);
    frame.plane_count = planes.len() as u32;
    frame.planes[..planes.len()].copy_from_slice(planes);
    frame
}

/// The hits, and the numbers that belong to the frame.
fn answer(session: *mut ocellus_session, frame: &ocellus_frame) -> ([ocellus_hit; 2], f32) {
    let none = ocellus_hit {
        label: 9,
        score: 9.0,
        probability: 9.0,
    };
    let (mut result, mut hits) = (new_result(), [none; 2]);
    ok(unsafe { ocellus_session_infer(session, frame, &mut result, hits.as_mut_ptr(), 2) });
    (hits, result.entropy_bits)
}

/// How many mappings of this process show a memfd's name.
fn mappings(name: &str) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("maps");
    maps.lines().filter(|line| line.contains(name)).count()
}

#[test]
fn planes_in_descriptors_answer_as_planes_in_memory() {
    let fixture = Fixture::new();
    let bytes = nv12();
    let mut given = frame(&[plane(-1, 0, bytes.len())]);
    given.planes[0].data = bytes.as_ptr().cast();
    let wanted = answer(fixture.session, &given);

    let whole = memory(c"ocellus-planes", &bytes);
    let fd = whole.as_raw_fd();
    // One buffer of two planes that follow one another; the planes apart; each in a descriptor of its own.
    let one = frame(&[plane(fd, 0, bytes.len())]);
    assert_eq!(answer(fixture.session, &one), wanted);
    let two = frame(&[plane(fd, 0, LUMA), plane(fd, LUMA, bytes.len())]);
    assert_eq!(answer(fixture.session, &two), wanted);
    let luma = memory(c"ocellus-planes", &bytes[..LUMA]);
    let chroma = memory(c"ocellus-planes", &bytes[LUMA..]);
    let apart = frame(&[
        plane(luma.as_raw_fd(), 0, LUMA),
        plane(chroma.as_raw_fd(), 0, LUMA / 2),
    ]);
    assert_eq!(answer(fixture.session, &apart), wanted);
    // Luma in memory, chroma in a descriptor.
    let mut mixed = apart;
    mixed.planes[0] = ocellus_plane {
        data: bytes.as_ptr().cast(),
        ..plane(-1, 0, LUMA)
    };
    assert_eq!(answer(fixture.session, &mixed), wanted);
    assert_eq!(mappings("ocellus-planes"), 0);
}

#[test]
fn a_descriptor_that_cannot_be_read_is_a_status_and_leaves_no_mapping() {
    let fixture = Fixture::new();
    let bytes = nv12();
    let whole = memory(c"ocellus-faults", &bytes);
    let fd = whole.as_raw_fd();
    let good = plane(fd, 0, LUMA);
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    let sink = File::options()
        .write(true)
        .open("/dev/null")
        .expect("a device");
    let both = ocellus_plane {
        data: bytes.as_ptr().cast(),
        ..plane(fd, 0, LUMA / 2)
    };
    // No number that a test of this process could open meanwhile.
    let closed = 1_000_000;
    let second = |fd| plane(fd, 0, LUMA / 2);
    let faults = [
        (second(closed), ["fstat", "descriptor 1000000"]),
        (second(-7), ["fstat", "descriptor -7"]),
        (second(reader.as_raw_fd()), ["lseek", "planes[1].fd"]),
        (second(sink.as_raw_fd()), ["holds 0 bytes", "planes[1].fd"]),
        (both, ["got both", "planes[1].fd"]),
    ];
    for (bad, words) in faults {
        let status = infer(fixture.session, &frame(&[good, bad]));
        fails(status, OCELLUS_E_FRAME_DMABUF, &words);
        assert_eq!(mappings("ocellus-faults"), 0, "{words:?}");
    }
    for size in [bytes.len() + 1, usize::MAX] {
        let status = infer(fixture.session, &frame(&[plane(fd, 0, size)]));
        let holds = format!("holds {} bytes", bytes.len());
        fails(status, OCELLUS_E_FRAME_DMABUF, &[&holds]);
    }
    let empty = infer(fixture.session, &frame(&[plane(fd, 0, 0)]));
    fails(empty, OCELLUS_E_FRAME_DMABUF, &["mmap"]);
    // What is mapped and then found too short for the frame goes too.
    let short = infer(fixture.session, &frame(&[plane(fd, 0, bytes.len() - 1)]));
    fails(short, OCELLUS_E_FRAME_PLANE, &["CbCr"]);
    let beyond = infer(
        fixture.session,
        &frame(&[good, plane(fd, usize::MAX, LUMA)]),
    );
    fails(beyond, OCELLUS_E_FRAME_PLANE, &["planes[1].offset"]);
    assert_eq!(mappings("ocellus-faults"), 0);
    ok(infer(fixture.session, &frame(&[plane(fd, 0, bytes.len())])));
}
