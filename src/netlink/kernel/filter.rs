//! Events that the kernel need not report.
//!
//! Each of our own changes would come back as an event, only to be read and thrown away, which costs more than the
//! change. A filter in the kernel drops these events before they are queued.

use std::io;
use std::os::fd::AsFd;

use socket2::{SockFilter, SockRef};

/// The offset of the requester's port id in a netlink message (`nlmsg_pid`).
const REQUESTER: u32 = 12;

/// Makes a listening socket drop events caused by requests of the socket with port id `port`.
pub(super) fn leave_out(socket: &impl AsFd, port: u32) -> io::Result<()> {
    // Filters read big endian; netlink has native byte order.
    let port = u32::from_be_bytes(port.to_ne_bytes());
    SockRef::from(socket).attach_filter(&[
        filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, REQUESTER),
        filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, port),
        filter(libc::BPF_RET | libc::BPF_K, 0, u32::MAX),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0),
    ])
}

/// One instruction; `skip`: how many instructions to skip when a comparison holds.
fn filter(code: u32, skip: u8, value: u32) -> SockFilter {
    // Codes have sixteen bits; the library's constants are wider.
    SockFilter::new(u16::try_from(code).unwrap_or(0), skip, 0, value)
}
