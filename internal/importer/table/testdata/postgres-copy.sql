--
-- PostgreSQL database dump
--

\restrict UOMCCUHXjPxEulUbEWNLt5QXbd51YFwr3wSaoggMiSoI4cWFFdzyinBNxbLYMQq

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: auth; Type: SCHEMA; Schema: -; Owner: postgres
--

CREATE SCHEMA auth;


ALTER SCHEMA auth OWNER TO postgres;

--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: postgres
--

CREATE FUNCTION public.f() RETURNS integer
    LANGUAGE plpgsql
    AS $$ begin return 1; -- it's
end $$;


ALTER FUNCTION public.f() OWNER TO postgres;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: decoy; Type: TABLE; Schema: auth; Owner: postgres
--

CREATE TABLE auth.decoy (
    id integer,
    name text
);


ALTER TABLE auth.decoy OWNER TO postgres;

--
-- Name: users; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.users (
    id integer NOT NULL,
    name character varying(64) NOT NULL,
    password text,
    salt bytea,
    score double precision,
    CONSTRAINT users_score_check CHECK ((score < (5)::double precision))
);


ALTER TABLE public.users OWNER TO postgres;

--
-- Name: users_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.users_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.users_id_seq OWNER TO postgres;

--
-- Name: users_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;


--
-- Name: users id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);


--
-- Data for Name: decoy; Type: TABLE DATA; Schema: auth; Owner: postgres
--

COPY auth.decoy (id, name) FROM stdin;
1	COPY users FROM stdin;
\.


--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.users (id, name, password, salt, score) FROM stdin;
1	Alice	plain	\\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f	-1.5
2	O'Neil	a"b'c	\\x202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f	-1.5
3	back\\slash	x\\n\\0y\\	\\x404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f	-1.5
4	Zeilen	eins\nzwei\r\ndrei\tvier	\\x606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f	-1.5
5	Jürgen	pä;ss,(w)ör'--d	\\x808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f	-1.5
6	Null	\N	\\xa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf	-1.5
7	semi	'); DROP TABLE users; --	\\xc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf	-1.5
\.


--
-- Name: users_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.users_id_seq', 1, false);


--
-- Name: users users_name_key; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_name_key UNIQUE (name);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- PostgreSQL database dump complete
--

\unrestrict UOMCCUHXjPxEulUbEWNLt5QXbd51YFwr3wSaoggMiSoI4cWFFdzyinBNxbLYMQq

