//! Numbers of the format on the disk. All are little-endian.
//!
//! Source: the kernel's Documentation/filesystems/erofs.rst and <https://erofs.docs.kernel.org/en/latest/core_ondisk.html>.

/// Block size of our images, as that of tar: a file's data in a tar is a run of whole blocks then.
pub(crate) const BLOCK: u64 = 512;
pub(crate) const BLOCK_BITS: u8 = 9;

/// Where the superblock is.
pub(crate) const SUPER: u64 = 1024;
pub(crate) const SUPER_LEN: u64 = 128;
pub(crate) const MAGIC: u32 = 0xe0f5_e1e2;
/// Compatible feature: `checksum` is right.
pub(crate) const CHECKSUM: u32 = 1;
/// Incompatible features: files in chunks; extra devices.
pub(crate) const CHUNKED: u32 = 4;
pub(crate) const DEVICES: u32 = 8;

/// A slot of the device table.
pub(crate) const SLOT: u64 = 128;

/// Inodes begin at multiples of this; a nid counts them.
pub(crate) const INODE: u64 = 32;
pub(crate) const COMPACT: u64 = 32;
pub(crate) const EXTENDED: u64 = 64;

/// Layouts of an inode's data: whole blocks; the last one right behind the inode; chunks.
pub(crate) const PLAIN: u16 = 0;
pub(crate) const INLINE: u16 = 2;
pub(crate) const CHUNKS: u16 = 4;

/// Chunk format: indexes of eight bytes; the lower five bits are the chunk's size as a power of two, in blocks.
pub(crate) const INDEXES: u16 = 0x20;
pub(crate) const CHUNK_BITS_MAX: u8 = 31;
pub(crate) const CHUNK_INDEX: u64 = 8;
/// Block address of a hole.
pub(crate) const HOLE: u32 = u32::MAX;

/// The header in front of an inode's extended attributes, and that of each.
pub(crate) const XATTR_HEADER: u64 = 12;
pub(crate) const XATTR_ENTRY: u64 = 4;
/// Prefixes of names that are kept as a number.
pub(crate) const XATTR_PREFIXES: [(u8, &[u8]); 5] = [
    (1, b"user."),
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
];

/// An entry of a directory without its name.
pub(crate) const DIRENT: usize = 12;

/// File type bits of a mode (inode(7)).
pub(crate) const S_IFMT: u16 = 0o170_000;
pub(crate) const S_IFREG: u16 = 0o100_000;
pub(crate) const S_IFDIR: u16 = 0o040_000;
pub(crate) const S_IFLNK: u16 = 0o120_000;
pub(crate) const S_IFCHR: u16 = 0o020_000;
pub(crate) const S_IFBLK: u16 = 0o060_000;
pub(crate) const S_IFIFO: u16 = 0o010_000;

/// A device's number as the kernel keeps it in 32 bits.
pub(crate) fn device_number(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xf_ff00) << 12)
}

pub(crate) fn major_minor(number: u32) -> (u32, u32) {
    ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xf_ff00))
}

/// CRC-32C as the kernel keeps it in the superblock: begun with all ones, not inverted in the end.
pub(crate) fn crc32c(data: &[u8]) -> u32 {
    data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums() {
        // RFC 3720, B.4: of 32 zeros, of 32 ones
        assert_eq!(!crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(!crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn device_numbers() {
        for (major, minor) in [(0, 0), (1, 3), (8, 255), (259, 256), (4095, 1_048_575)] {
            let number = device_number(major, minor);
            assert_eq!(major_minor(number), (major, minor));
            assert_eq!(u64::from(number), rustix::fs::makedev(major, minor) & 0xffff_ffff);
        }
    }
}
