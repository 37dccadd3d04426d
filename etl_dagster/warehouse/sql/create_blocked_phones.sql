-- Phones to take out of what is published; lives as long as the session.
CREATE OR REPLACE TEMPORARY TABLE BLOCKED_PHONES (phone NUMBER(10, 0))
