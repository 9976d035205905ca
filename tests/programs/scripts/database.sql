-- A database in a file, with a write-ahead log whose index is a shared mapping of a file; then mapped itself.
pragma journal_mode = wal;
create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 30000) insert into t select x, hex(x * 7919) from c;
create index i on t(b);
select count(*), sum(length(b)), max(b) from t;
delete from t where a % 3 = 0;
pragma mmap_size = 30000000;
vacuum;
pragma integrity_check;
pragma threads = 4;
select group_concat(b) from (select b from t order by b desc limit 20);
pragma journal_mode = delete;
