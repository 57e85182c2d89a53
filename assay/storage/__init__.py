"""Storage: content digests, files that appear complete or not at all, objects, numbered logs, snapshots."""

from assay.storage.dvc import write_dvc
from assay.storage.hashing import digest_file, digest_folder, digest_json
from assay.storage.manifest import MANIFEST, TOKEN_ESTIMATE, Manifest, Reference
from assay.storage.numbered import NumberedFiles, NumberedLog
from assay.storage.objects import (
    create,
    download_folder,
    exists,
    join,
    list_names,
    local_path,
    localize,
    open_binary,
    published_file,
    read_bytes,
    require_folder,
    upload_folder,
    write_bytes,
)
from assay.storage.parquet import open_parquet, parquet_bytes, parquet_writer, read_columns, read_parquet, write_parquet
from assay.storage.places import place_or_default, work_folder
from assay.storage.planned import PlannedFolder, deal, deal_runs
from assay.storage.reading import clear_permission_errors
from assay.storage.records import only_known_fields, parse_json, parse_record, parse_setting, require_time
from assay.storage.referenced import Footer, is_castable, read_footer
from assay.storage.snapshot import Snapshot
from assay.storage.snapshot_writer import (
    ROWS_PER_SHARD,
    WrittenShard,
    find_made,
    write_manifest,
    write_reference,
    write_shard,
    write_snapshot,
)
from assay.storage.staging import clear_disk_errors, staged_file, staged_folder
from assay.storage.utf8 import is_text, valid_utf8, without_surrogates
from assay.storage.versions import Change, difference, without

__all__ = [
    "MANIFEST",
    "ROWS_PER_SHARD",
    "TOKEN_ESTIMATE",
    "Change",
    "Footer",
    "Manifest",
    "NumberedFiles",
    "NumberedLog",
    "PlannedFolder",
    "Reference",
    "Snapshot",
    "WrittenShard",
    "clear_disk_errors",
    "clear_permission_errors",
    "create",
    "deal",
    "deal_runs",
    "difference",
    "digest_file",
    "digest_folder",
    "digest_json",
    "download_folder",
    "exists",
    "find_made",
    "is_castable",
    "is_text",
    "join",
    "list_names",
    "local_path",
    "localize",
    "only_known_fields",
    "open_binary",
    "open_parquet",
    "parquet_bytes",
    "parquet_writer",
    "parse_json",
    "parse_record",
    "parse_setting",
    "place_or_default",
    "published_file",
    "read_bytes",
    "read_columns",
    "read_footer",
    "read_parquet",
    "require_folder",
    "require_time",
    "staged_file",
    "staged_folder",
    "upload_folder",
    "valid_utf8",
    "without",
    "without_surrogates",
    "work_folder",
    "write_bytes",
    "write_dvc",
    "write_manifest",
    "write_parquet",
    "write_reference",
    "write_shard",
    "write_snapshot",
]
