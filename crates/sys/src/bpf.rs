//! eBPF programs of the device controller of cgroup v2: <https://man7.org/linux/man-pages/man2/bpf.2.html>

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::{Result, check};

/// One instruction of extended BPF, 8 bytes: opcode, destination (low half) and source register, offset, immediate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    pub code: u8,
    pub registers: u8,
    pub offset: i16,
    pub immediate: i32,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;
const LICENSE: &[u8] = b"Apache-2.0\0";

/// `union bpf_attr` for BPF_PROG_LOAD, its first fields.
#[derive(Default)]
#[repr(C)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// `union bpf_attr` for BPF_PROG_ATTACH.
#[derive(Default)]
#[repr(C)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
    padding: u32,
}

/// Loads a program of the device controller.
pub fn load_device_program(instructions: &[Instruction]) -> Result<OwnedFd> {
    let attr = Load {
        prog_type: TYPE_CGROUP_DEVICE,
        insn_cnt: instructions.len() as u32,
        insns: instructions.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        ..Load::default()
    };
    // SAFETY: the kernel reads `insn_cnt` instructions and a NUL-terminated string; a new descriptor comes back.
    unsafe {
        let fd = check(libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const attr, size_of::<Load>()))?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

/// Attaches it to a cgroup v2 directory, for as long as that exists.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
    let attr = Attach {
        target_fd: cgroup.as_raw_fd() as u32,
        attach_bpf_fd: program.as_raw_fd() as u32,
        attach_type: ATTACH_CGROUP_DEVICE,
        attach_flags: ALLOW_MULTI,
        ..Attach::default()
    };
    // SAFETY: plain numbers, size told.
    check(unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw const attr, size_of::<Attach>()) }).map(drop)
}
