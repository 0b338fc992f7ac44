//! Frames that do not fit their bytes.

use super::*;

/// Infers a frame of 64x48 NV12 in one buffer, changed.
fn status(change: impl FnOnce(&mut ocellus_frame)) -> i32 {
    let fixture = Fixture::new();
    let bytes = vec![128_u8; 64 * 48 * 3 / 2];
    let mut frame = new_frame(b"NV12", 64, 48);
    frame.planes[0] = ocellus_plane {
        data: bytes.as_ptr().cast(),
        offset: 0,
        stride: 64,
        size: bytes.len(),
        fd: -1,
    };
    change(&mut frame);
    infer(fixture.session, &frame)
}

#[test]
fn each_fault_has_its_status() {
    ok(status(|_| {}));
    ok(status(|f| (f.width, f.height) = (63, 47)));
    type Change = fn(&mut ocellus_frame);
    let faults: [(Change, i32, &str); 25] = [
        (|f| f.fourcc = 0, OCELLUS_E_FRAME_FORMAT, "fourcc"),
        (
            |f| f.fourcc = u32::from_le_bytes(*b"MJPG"),
            OCELLUS_E_FRAME_FORMAT,
            "MJPG",
        ),
        (
            |f| f.fourcc = u32::from_be_bytes(*b"NV12"),
            OCELLUS_E_FRAME_FORMAT,
            "21VN",
        ),
        (|f| f.width = 0, OCELLUS_E_FRAME_SIZE, "0x48"),
        (|f| f.height = 0, OCELLUS_E_FRAME_SIZE, "64x0"),
        (|f| f.width = u32::MAX, OCELLUS_E_FRAME_SIZE, "65535"),
        (|f| f.height = 65_536, OCELLUS_E_FRAME_SIZE, "65535"),
        (
            |f| (f.fourcc, f.width, f.planes[0].stride) = (u32::from_le_bytes(*b"YUYV"), 5, 64),
            OCELLUS_E_FRAME_SIZE,
            "even width",
        ),
        (|f| f.plane_count = 0, OCELLUS_E_FRAME_PLANE, "planes"),
        (|f| f.plane_count = 5, OCELLUS_E_FRAME_PLANE, "plane_count"),
        (
            |f| f.plane_count = u32::MAX,
            OCELLUS_E_FRAME_PLANE,
            "plane_count",
        ),
        (|f| f.plane_count = 2, OCELLUS_E_NULL, "planes[1].data"),
        (
            |f| f.planes[0].data = ptr::null(),
            OCELLUS_E_NULL,
            "planes[0].data",
        ),
        (|f| f.planes[0].stride = 63, OCELLUS_E_FRAME_STRIDE, "63"),
        (
            |f| f.planes[0].stride = usize::MAX,
            OCELLUS_E_FRAME_STRIDE,
            "memory",
        ),
        (|f| f.planes[0].size -= 1, OCELLUS_E_FRAME_PLANE, "CbCr"),
        (|f| f.planes[0].size = 0, OCELLUS_E_FRAME_PLANE, "0 bytes"),
        (
            |f| f.planes[0].size = usize::MAX,
            OCELLUS_E_ARGUMENT,
            "memory",
        ),
        (|f| f.planes[0].offset = 1, OCELLUS_E_FRAME_PLANE, "CbCr"),
        (
            |f| f.planes[0].offset = usize::MAX,
            OCELLUS_E_FRAME_PLANE,
            "offset",
        ),
        (
            |f| (f.crop_x, f.crop_width, f.crop_height) = (60, 8, 8),
            OCELLUS_E_FRAME_CROP,
            "crop",
        ),
        (
            |f| (f.crop_width, f.crop_height) = (u32::MAX, 8),
            OCELLUS_E_FRAME_CROP,
            "crop",
        ),
        (|f| f.crop_y = 1, OCELLUS_E_FRAME_CROP, "empty"),
        (|f| f.rotation = 45, OCELLUS_E_ARGUMENT, "rotation"),
        (|f| f.flip_vertical = 2, OCELLUS_E_ARGUMENT, "flip_vertical"),
    ];
    for (change, wanted, word) in faults {
        fails(status(change), wanted, &[word]);
    }
    fails(status(|f| f.matrix = 2), OCELLUS_E_ARGUMENT, &["matrix"]);
    fails(status(|f| f.range = -1), OCELLUS_E_ARGUMENT, &["range"]);
    fails(
        status(|f| f.flip_horizontal = -1),
        OCELLUS_E_ARGUMENT,
        &["flip_horizontal"],
    );
}

#[test]
fn an_output_array_that_cannot_be_is_refused() {
    let fixture = Fixture::new();
    let (frame, _bytes) = grey_frame(32, 32);
    let (mut result, mut hits) = (
        new_result(),
        [ocellus_hit {
            label: 0,
            score: 0.0,
            probability: 0.0,
        }; 2],
    );
    let mut infer = |hits: *mut ocellus_hit, capacity| unsafe {
        ocellus_session_infer(fixture.session, &frame, &mut result, hits, capacity)
    };
    fails(
        infer(hits.as_mut_ptr(), usize::MAX),
        OCELLUS_E_ARGUMENT,
        &["hits"],
    );
    let odd = hits.as_mut_ptr().wrapping_byte_add(1);
    fails(
        infer(odd, 1),
        OCELLUS_E_ARGUMENT,
        &["hits", "multiple of 4"],
    );
}
