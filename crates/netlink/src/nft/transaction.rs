use crate::batch::{Batch, Message};
use crate::error::Result;
use crate::nft::attributes as a;
use crate::nft::{Chain, Element, Family, Field, Set, Table, message_type, nfgenmsg};
use crate::socket::Socket;

/// linux/netfilter/nf_tables.h.
const NFT_MSG_DESTROYTABLE: i32 = 26;
/// An attribute holds 64 KiB.
const ELEMENTS_AT_ONCE: usize = 400;
const CREATE: u16 = libc::NLM_F_CREATE as u16;
const APPEND: u16 = (libc::NLM_F_CREATE | libc::NLM_F_APPEND) as u16;

/// Makes the kernel's table of this name equal to `table`, in one transaction: packets meet either the old rules or
/// the new ones, and on an error the old ones stay.
pub fn replace(socket: &mut Socket, table: &Table) -> Result<()> {
    replace_all(socket, std::slice::from_ref(table))
}

/// The same with several tables, all in one transaction.
pub fn replace_all(socket: &mut Socket, tables: &[Table]) -> Result<()> {
    socket.execute(transaction(|batch| tables.iter().for_each(|table| replacement(batch, table))))
}

/// Whether the kernel would take a table that is not there: a transaction without its end is looked through and forgotten.
pub fn check(socket: &mut Socket, table: &Table) -> Result<()> {
    let mut batch = Batch::new();
    begin(&mut batch);
    add_all(&mut batch, table);
    socket.execute(batch)
}

/// Makes a table that is not there. A [replacement](replace) has the kernel wait for all processors as it clears away what
/// was there, at the latest when the socket is closed; this has not.
pub fn create(socket: &mut Socket, table: &Table) -> Result<()> {
    socket.execute(transaction(|batch| add_all(batch, table)))
}

/// Elements that come or go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Add(String, Vec<Element>),
    Delete(String, Vec<Element>),
}

/// Changes sets of tables of one name, each with its family: all of it or nothing.
pub fn change(socket: &mut Socket, table: &str, changes: &[(Family, Change)]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    socket.execute(transaction(|batch| {
        for (family, change) in changes {
            match change {
                Change::Add(set, elements) => add_elements(batch, *family, table, set, elements, true),
                Change::Delete(set, elements) => add_elements(batch, *family, table, set, elements, false),
            }
        }
    }))
}

/// Removes a table with all in it; one that is not there is fine.
pub fn delete(socket: &mut Socket, family: Family, name: &str) -> Result<()> {
    let batch = transaction(|batch| {
        add_table(batch, family, name, false);
        delete_table(batch, family, name);
    });
    match socket.execute(batch) {
        // one that is owned cannot be "added" without its flags
        Err(error) if error.errno == crate::Errno::OPNOTSUPP => {
            socket.execute(transaction(|batch| delete_table(batch, family, name)))
        }
        other => other,
    }
}

fn replacement(batch: &mut Batch, table: &Table) {
    if table.owned {
        // since Linux 6.3, and so wherever tables can be owned
        table_message(batch, "remove", NFT_MSG_DESTROYTABLE, 0, table.family, &table.name, false);
    } else {
        // Deleting needs the table to be there; creating one that is there changes nothing.
        add_table(batch, table.family, &table.name, false);
        delete_table(batch, table.family, &table.name);
    }
    add_all(batch, table);
}

fn add_all(batch: &mut Batch, table: &Table) {
    add_table(batch, table.family, &table.name, table.owned);
    for (number, set) in table.sets.iter().enumerate() {
        add_set(batch, table, set, number as u32 + 1);
        add_elements(batch, table.family, &table.name, &set.name, &set.elements, true);
    }
    for chain in &table.chains {
        add_chain(batch, table, chain);
        for rule in &chain.rules {
            let label = format!("add rule to {} {}", table.name, chain.name);
            let fixed = nfgenmsg(table.family.number(), 0);
            let mut message = batch.message(label, message_type(libc::NFT_MSG_NEWRULE), APPEND, &fixed);
            message.string(a::RULE_TABLE, &table.name).string(a::RULE_CHAIN, &chain.name);
            rule.encode(&mut message);
        }
    }
}

/// `NFNL_MSG_BATCH_BEGIN`, the messages, `NFNL_MSG_BATCH_END`. All answers are given after the commit; the
/// acknowledgement asked for is that of the last message inside, as only newer kernels acknowledge the end itself.
fn transaction(fill: impl FnOnce(&mut Batch)) -> Batch {
    let mut batch = Batch::new();
    begin(&mut batch);
    fill(&mut batch);
    let last = batch.len() - 1;
    batch.message("end nftables transaction", libc::NFNL_MSG_BATCH_END as u16, 0, &batch_header());
    batch.confirm_by(last);
    batch
}

fn begin(batch: &mut Batch) {
    batch.message("begin nftables transaction", libc::NFNL_MSG_BATCH_BEGIN as u16, 0, &batch_header());
}

fn batch_header() -> [u8; 4] {
    nfgenmsg(libc::AF_UNSPEC as u8, libc::NFNL_SUBSYS_NFTABLES as u16)
}

fn add_table(batch: &mut Batch, family: Family, name: &str, owned: bool) {
    table_message(batch, "add", libc::NFT_MSG_NEWTABLE, CREATE, family, name, owned);
}

fn delete_table(batch: &mut Batch, family: Family, name: &str) {
    table_message(batch, "delete", libc::NFT_MSG_DELTABLE, 0, family, name, false);
}

fn table_message(batch: &mut Batch, verb: &str, number: i32, flags: u16, family: Family, name: &str, owned: bool) {
    let label = format!("{verb} nftables table {name}");
    let mut message = batch.message(label, message_type(number), flags, &nfgenmsg(family.number(), 0));
    message.string(a::TABLE_NAME, name);
    if owned {
        message.be32(a::TABLE_FLAGS, a::TABLE_OWNED);
    }
}

fn add_set(batch: &mut Batch, table: &Table, set: &Set, id: u32) {
    let label = format!("add set {} {}", table.name, set.name);
    let fixed = nfgenmsg(table.family.number(), 0);
    let mut message = batch.message(label, message_type(libc::NFT_MSG_NEWSET), CREATE, &fixed);
    let (kind, length) = set.key_shape();
    message
        .string(a::SET_TABLE, &table.name)
        .string(a::SET_NAME, &set.name)
        .be32(a::SET_FLAGS, set.flags())
        .be32(a::SET_KEY_TYPE, kind)
        .be32(a::SET_KEY_LENGTH, length)
        .be32(a::SET_ID, id);
    if set.key == [Field::Link] {
        // for nft(8) alone, which would take names for numbers
        message.attribute(a::SET_USER_DATA, &a::SET_KEY_IN_HOST_ORDER);
    }
    if let Some((kind, length)) = set.data_shape() {
        message.be32(a::SET_DATA_TYPE, kind).be32(a::SET_DATA_LENGTH, length);
    }
}

/// Or takes them away.
fn add_elements(batch: &mut Batch, family: Family, table: &str, set: &str, elements: &[Element], add: bool) {
    let (verb, number, flags) =
        if add { ("add", libc::NFT_MSG_NEWSETELEM, CREATE) } else { ("delete", libc::NFT_MSG_DELSETELEM, 0) };
    for some in elements.chunks(ELEMENTS_AT_ONCE) {
        let label = format!("{verb} elements of {table} {set}");
        batch
            .message(label, message_type(number), flags, &nfgenmsg(family.number(), 0))
            .string(a::ELEMENTS_TABLE, table)
            .string(a::ELEMENTS_SET, set)
            .nested(a::ELEMENTS, &[], |m| some.iter().for_each(|element| encode(m, element)));
    }
}

fn encode(m: &mut Message<'_>, element: &Element) {
    let value = |m: &mut Message<'_>, kind: u16, bytes: &[u8]| {
        m.nested(kind, &[], |m| {
            m.attribute(a::DATA_VALUE, bytes);
        });
    };
    m.nested(a::LIST_ELEMENT, &[], |m| {
        value(m, a::ELEMENT_KEY, element.key());
        if let Some(data) = element.value() {
            value(m, a::ELEMENT_DATA, data);
        }
    });
    if let Some(end) = element.end() {
        m.nested(a::LIST_ELEMENT, &[], |m| {
            value(m, a::ELEMENT_KEY, end);
            m.be32(a::ELEMENT_FLAGS, a::ELEMENT_INTERVAL_END);
        });
    }
}

fn add_chain(batch: &mut Batch, table: &Table, chain: &Chain) {
    let label = format!("add chain {} {}", table.name, chain.name);
    let fixed = nfgenmsg(table.family.number(), 0);
    let mut message = batch.message(label, message_type(libc::NFT_MSG_NEWCHAIN), CREATE, &fixed);
    message.string(a::CHAIN_TABLE, &table.name).string(a::CHAIN_NAME, &chain.name);
    if let Some(base) = &chain.base {
        message
            .nested(a::CHAIN_HOOK, &[], |m| {
                m.be32(a::HOOK_NUMBER, base.hook.number()).be32(a::HOOK_PRIORITY, base.priority as u32);
            })
            .be32(a::CHAIN_POLICY, base.policy.number())
            .string(a::CHAIN_TYPE, base.kind.name());
    }
}
