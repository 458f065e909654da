//! Attribute numbers of linux/netfilter/nf_tables.h which the libc crate has no names for.

pub(crate) const TABLE_NAME: u16 = 1;
pub(crate) const TABLE_FLAGS: u16 = 2;
/// `NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST`: only the socket that made it may change it, and it stays when that closes.
pub(crate) const TABLE_OWNED: u32 = 2 | 4;

pub(crate) const SET_TABLE: u16 = 1;
pub(crate) const SET_NAME: u16 = 2;
pub(crate) const SET_FLAGS: u16 = 3;
pub(crate) const SET_KEY_TYPE: u16 = 4;
pub(crate) const SET_KEY_LENGTH: u16 = 5;
pub(crate) const SET_DATA_TYPE: u16 = 6;
pub(crate) const SET_DATA_LENGTH: u16 = 7;
pub(crate) const SET_ID: u16 = 10;
pub(crate) const SET_USER_DATA: u16 = 13;
/// Type, length and value as libnftnl writes them: the key's byte order is the machine's.
pub(crate) const SET_KEY_IN_HOST_ORDER: [u8; 6] = [0, 4, 1, 0, 0, 0];
pub(crate) const SET_INTERVAL: u32 = 4;
pub(crate) const SET_MAP: u32 = 8;

pub(crate) const ELEMENTS_TABLE: u16 = 1;
pub(crate) const ELEMENTS_SET: u16 = 2;
pub(crate) const ELEMENTS: u16 = 3;
pub(crate) const ELEMENT_KEY: u16 = 1;
pub(crate) const ELEMENT_DATA: u16 = 2;
pub(crate) const ELEMENT_FLAGS: u16 = 3;
pub(crate) const ELEMENT_INTERVAL_END: u32 = 1;
pub(crate) const ELEMENT_KEY_END: u16 = 10;

pub(crate) const LOOKUP_SET: u16 = 1;
pub(crate) const LOOKUP_SOURCE: u16 = 2;
pub(crate) const LOOKUP_DESTINATION: u16 = 3;
pub(crate) const LOOKUP_FLAGS: u16 = 5;
pub(crate) const LOOKUP_INVERTED: u32 = 1;

pub(crate) const FIB_REGISTER: u16 = 1;
pub(crate) const FIB_RESULT: u16 = 2;
pub(crate) const FIB_FLAGS: u16 = 3;
pub(crate) const FIB_RESULT_ADDRESS_TYPE: u32 = 3;
pub(crate) const FIB_DESTINATION: u32 = 2;

pub(crate) const NAT_TYPE: u16 = 1;
pub(crate) const NAT_FAMILY: u16 = 2;
pub(crate) const NAT_ADDRESS: u16 = 3;
pub(crate) const NAT_PORT: u16 = 5;
pub(crate) const NAT_SOURCE: u32 = 0;
pub(crate) const NAT_DESTINATION: u32 = 1;

pub(crate) const CHAIN_TABLE: u16 = 1;
pub(crate) const CHAIN_NAME: u16 = 3;
pub(crate) const CHAIN_HOOK: u16 = 4;
pub(crate) const CHAIN_POLICY: u16 = 5;
pub(crate) const CHAIN_TYPE: u16 = 7;

pub(crate) const HOOK_NUMBER: u16 = 1;
pub(crate) const HOOK_PRIORITY: u16 = 2;

pub(crate) const RULE_TABLE: u16 = 1;
pub(crate) const RULE_CHAIN: u16 = 2;
pub(crate) const RULE_EXPRESSIONS: u16 = 4;

pub(crate) const LIST_ELEMENT: u16 = 1;
pub(crate) const EXPRESSION_NAME: u16 = 1;
pub(crate) const EXPRESSION_DATA: u16 = 2;

pub(crate) const DATA_VALUE: u16 = 1;
pub(crate) const DATA_VERDICT: u16 = 2;
pub(crate) const VERDICT_CODE: u16 = 1;
pub(crate) const VERDICT_CHAIN: u16 = 2;

pub(crate) const META_REGISTER: u16 = 1;
pub(crate) const META_KEY: u16 = 2;

pub(crate) const COMPARE_REGISTER: u16 = 1;
pub(crate) const COMPARE_OPERATION: u16 = 2;
pub(crate) const COMPARE_DATA: u16 = 3;

pub(crate) const RANGE_REGISTER: u16 = 1;
pub(crate) const RANGE_OPERATION: u16 = 2;
pub(crate) const RANGE_FIRST: u16 = 3;
pub(crate) const RANGE_LAST: u16 = 4;

/// Of iptables' matches and targets.
pub(crate) const COMPATIBLE_NAME: u16 = 1;
pub(crate) const COMPATIBLE_INFO: u16 = 3;

pub(crate) const PAYLOAD_REGISTER: u16 = 1;
pub(crate) const PAYLOAD_BASE: u16 = 2;
pub(crate) const PAYLOAD_OFFSET: u16 = 3;
pub(crate) const PAYLOAD_LENGTH: u16 = 4;
pub(crate) const PAYLOAD_SOURCE: u16 = 5;
pub(crate) const PAYLOAD_CHECKSUM_TYPE: u16 = 6;
pub(crate) const PAYLOAD_CHECKSUM_OFFSET: u16 = 7;

pub(crate) const BITWISE_SOURCE: u16 = 1;
pub(crate) const BITWISE_DESTINATION: u16 = 2;
pub(crate) const BITWISE_LENGTH: u16 = 3;
pub(crate) const BITWISE_MASK: u16 = 4;
pub(crate) const BITWISE_XOR: u16 = 5;

pub(crate) const BYTEORDER_SOURCE: u16 = 1;
pub(crate) const BYTEORDER_DESTINATION: u16 = 2;
pub(crate) const BYTEORDER_LENGTH: u16 = 4;
pub(crate) const BYTEORDER_SIZE: u16 = 5;

pub(crate) const CONNTRACK_REGISTER: u16 = 1;
pub(crate) const CONNTRACK_KEY: u16 = 2;
pub(crate) const CONNTRACK_DIRECTION: u16 = 3;
pub(crate) const CONNTRACK_SOURCE: u16 = 4;

pub(crate) const DUPLICATE_ADDRESS: u16 = 1;
pub(crate) const DUPLICATE_LINK: u16 = 2;

pub(crate) const IMMEDIATE_REGISTER: u16 = 1;
pub(crate) const IMMEDIATE_DATA: u16 = 2;
