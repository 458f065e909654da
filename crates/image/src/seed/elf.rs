//! A static program of a few instructions: `write(1, message)`, `exit_group(0)`.
//!
//! Source: the ELF-64 object file format; the kernel's calling conventions, syscall(2).

/// Where the program is loaded.
const BASE: u64 = 0x40_0000;
const HEADER: usize = 64;
const SEGMENT: usize = 56;

/// Instructions, given the message's address and length.
type Code = fn(u64, u64) -> Vec<u8>;

/// The program that prints `message`; `None` for an architecture (Go's name) we cannot write it for.
pub(super) fn hello(architecture: &str, message: &[u8]) -> Option<Vec<u8>> {
    let (machine, code): (u16, Code) = match architecture {
        "amd64" => (62, amd64),
        "arm64" => (183, arm64),
        _ => return None,
    };
    let start = HEADER + SEGMENT;
    let text = start + code(0, 0).len();
    let code = code(BASE + text as u64, message.len() as u64);
    let size = (text + message.len()) as u64;
    let mut out = header(machine, BASE + start as u64);
    out.extend(segment(size));
    out.extend(code);
    out.extend(message);
    Some(out)
}

fn header(machine: u16, entry: u64) -> Vec<u8> {
    // 64 bits, little-endian, version 1, System V
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend(2u16.to_le_bytes()); // an executable
    out.extend(machine.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(entry.to_le_bytes());
    out.extend((HEADER as u64).to_le_bytes()); // program headers follow
    out.extend(0u64.to_le_bytes()); // no sections
    out.extend(0u32.to_le_bytes());
    for field in [HEADER as u16, SEGMENT as u16, 1, 64, 0, 0] {
        out.extend(field.to_le_bytes());
    }
    out
}

/// The whole file, readable and executable.
fn segment(size: u64) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(1u32.to_le_bytes()); // PT_LOAD
    out.extend(5u32.to_le_bytes()); // PF_R | PF_X
    for field in [0, BASE, BASE, size, size, 0x1_0000] {
        out.extend(u64::to_le_bytes(field));
    }
    out
}

fn amd64(message: u64, len: u64) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(b"\xb8\x01\0\0\0"); // mov eax, 1 (write)
    out.extend(b"\xbf\x01\0\0\0"); // mov edi, 1
    out.extend(b"\x48\xbe"); // mov rsi, message
    out.extend(message.to_le_bytes());
    out.push(0xba); // mov edx, len
    out.extend((len as u32).to_le_bytes());
    out.extend(b"\x0f\x05"); // syscall
    out.extend(b"\xb8\xe7\0\0\0"); // mov eax, 231 (exit_group)
    out.extend(b"\x31\xff"); // xor edi, edi
    out.extend(b"\x0f\x05"); // syscall
    out
}

fn arm64(message: u64, len: u64) -> Vec<u8> {
    // movz Xd, #value (bits 0 to 15) and movk Xd, #value, lsl #16
    let movz = |register: u32, value: u64| 0xd280_0000 | ((value as u32 & 0xffff) << 5) | register;
    let movk = |register: u32, value: u64| 0xf2a0_0000 | (((value >> 16) as u32 & 0xffff) << 5) | register;
    const SVC: u32 = 0xd400_0001;
    let code = [
        movz(0, 1),
        movz(1, message),
        movk(1, message),
        movz(2, len),
        movk(2, len),
        movz(8, 64), // write
        SVC,
        movz(0, 0),
        movz(8, 94), // exit_group
        SVC,
    ];
    code.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, process::Command};

    use super::*;

    /// It runs: the kernel is the judge of an ELF file.
    #[test]
    fn the_program_of_this_machine_prints() {
        let Some(program) = hello(&values::Platform::host().architecture, b"hi there\n") else { return };
        let path = std::env::temp_dir().join(format!("lighter-hello-{}", std::process::id()));
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // another test's child may hold the file open for writing until its exec
        let out = (0..50).find_map(|_| match Command::new(&path).output() {
            Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(20));
                None
            }
            other => Some(other),
        });
        fs::remove_file(&path).unwrap();
        let out = out.unwrap().unwrap();
        assert_eq!((out.status.code(), &out.stdout[..]), (Some(0), &b"hi there\n"[..]));
    }

    #[test]
    fn the_other_architecture_has_its_words() {
        let program = hello("arm64", b"x").unwrap();
        assert_eq!(program[18..20], 183u16.to_le_bytes());
        // mov x0, #1; the last word is svc #0
        assert_eq!(program[120..124], 0xd280_0020u32.to_le_bytes());
        assert_eq!(program[156..160], 0xd400_0001u32.to_le_bytes());
        assert_eq!(hello("s390x", b"x"), None);
    }
}
