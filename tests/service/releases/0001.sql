BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE allotted (
	only_row INTEGER NOT NULL CHECK (only_row = 1), 
	last_session_id BIGINT NOT NULL, 
	last_sequence_number BIGINT NOT NULL, 
	PRIMARY KEY (only_row)
);
INSERT INTO "allotted" VALUES(1,4,3);
CREATE TABLE sessions (
	id INTEGER NOT NULL, 
	user_id BIGINT NOT NULL, 
	context TEXT NOT NULL, 
	sequence_number BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (sequence_number)
);
INSERT INTO "sessions" VALUES(1,40,'context 0 é
''quoted''',1);
INSERT INTO "sessions" VALUES(2,41,'',2);
INSERT INTO "sessions" VALUES(3,42,'context 2 é
''quoted''',3);
COMMIT;
