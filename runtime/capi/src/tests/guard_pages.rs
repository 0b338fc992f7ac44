//! A frame's bytes are read, and none beyond: the frame lies against pages that may not be read.

use super::*;

/// Bytes whose last one, or first one, lies at a page that faults.
struct Fenced {
    map: *mut libc::c_void,
    length: usize,
    page: usize,
    size: usize,
}

impl Fenced {
    fn new(size: usize) -> Fenced {
        let page = ocellus::sys::page_size();
        let length = (size.div_ceil(page) + 2) * page;
        let map = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let map = libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(map, libc::MAP_FAILED);
            let inside = map.byte_add(page);
            let rights = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(inside, length - 2 * page, rights), 0);
            map
        };
        Fenced {
            map,
            length,
            page,
            size,
        }
    }

    /// The bytes that start after the first fence, and those that end before the last.
    fn places(&self) -> [*const libc::c_void; 2] {
        let first = self.map.wrapping_byte_add(self.page);
        let last = self
            .map
            .wrapping_byte_add(self.length - self.page - self.size);
        [first.cast_const(), last.cast_const()]
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        assert_eq!(unsafe { libc::munmap(self.map, self.length) }, 0);
    }
}

#[test]
fn no_byte_beside_a_frame_is_read() {
    let fixture = Fixture::new();
    for (fourcc, bytes_of_row, width, height) in [
        (b"RGB3", 3, 33, 17),
        (b"AR24", 4, 33, 17),
        (b"GREY", 1, 33, 17),
        (b"YUYV", 2, 34, 17),
    ] {
        let (stride, rows) = (bytes_of_row * width as usize + 5, height as usize);
        // The last row lacks its padding, as drivers hand planes out.
        let fenced = Fenced::new(stride * (rows - 1) + bytes_of_row * width as usize);
        for data in fenced.places() {
            for rotation in [0, 90] {
                let mut frame = new_frame(fourcc, width, height);
                frame.rotation = rotation;
                frame.planes[0] = ocellus_plane {
                    data,
                    offset: 0,
                    stride,
                    size: fenced.size,
                    fd: -1,
                };
                ok(infer(fixture.session, &frame));
            }
        }
    }
    // NV12 and I420, odd sizes, each plane behind a fence of its own.
    let (width, height) = (33_u32, 17_u32);
    let luma = Fenced::new(33 * 17);
    for (fourcc, chroma_row, chroma_planes) in [(b"NV12", 34, 1), (b"YU12", 17, 2)] {
        let chroma = Fenced::new(chroma_row * 9);
        for (luma_at, chroma_at) in luma.places().into_iter().zip(chroma.places()) {
            let mut frame = new_frame(fourcc, width, height);
            frame.plane_count = 1 + chroma_planes;
            let plane = |data, stride, size| ocellus_plane {
                data,
                offset: 0,
                stride,
                size,
                fd: -1,
            };
            frame.planes[0] = plane(luma_at, 33, luma.size);
            frame.planes[1] = plane(chroma_at, chroma_row, chroma.size);
            frame.planes[2] = frame.planes[1];
            ok(infer(fixture.session, &frame));
        }
    }
}
