//! Attribute numbers of linux/netfilter/nf_tables.h which the libc crate has no names for.

pub(crate) const TABLE_NAME: u16 = 1;

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

pub(crate) const META_REGISTER: u16 = 1;
pub(crate) const META_KEY: u16 = 2;

pub(crate) const COMPARE_REGISTER: u16 = 1;
pub(crate) const COMPARE_OPERATION: u16 = 2;
pub(crate) const COMPARE_DATA: u16 = 3;

pub(crate) const PAYLOAD_REGISTER: u16 = 1;
pub(crate) const PAYLOAD_BASE: u16 = 2;
pub(crate) const PAYLOAD_OFFSET: u16 = 3;
pub(crate) const PAYLOAD_LENGTH: u16 = 4;

pub(crate) const BITWISE_SOURCE: u16 = 1;
pub(crate) const BITWISE_DESTINATION: u16 = 2;
pub(crate) const BITWISE_LENGTH: u16 = 3;
pub(crate) const BITWISE_MASK: u16 = 4;
pub(crate) const BITWISE_XOR: u16 = 5;

pub(crate) const CONNTRACK_REGISTER: u16 = 1;
pub(crate) const CONNTRACK_KEY: u16 = 2;

pub(crate) const IMMEDIATE_REGISTER: u16 = 1;
pub(crate) const IMMEDIATE_DATA: u16 = 2;
