// Before tsyringe, and in place of an import of reflect-metadata.
import * as library from 'qelos-auth';
import * as testing from 'qelos-auth/testing';
import { container } from 'tsyringe';
import exercise from './exercise.cjs';

await exercise({ library, testing, container });
